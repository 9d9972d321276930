#include "model/matcher_text.h"

#include <doctest/doctest.h>

#include "model/silence.h"

TEST_CASE("matchers as Alertmanager writes them") {
  struct Row {
    std::string text, want;
  };
  const Row rows[] = {
      {"service=order", "service=\"order\""},
      {" service = order ", "service=\"order\""},
      {"service=\"order\"", "service=\"order\""},
      {"severity!=page", "severity!=\"page\""},
      {"alertname=~Down.*", "alertname=~\"Down.*\""},
      {"alertname!~\"Down|Slow\"", "alertname!~\"Down|Slow\""},
      {"{a=b,c!=d}", "a=\"b\", c!=\"d\""},
      {"{ a = \"b\" , c=~\"d\", }", "a=\"b\", c=~\"d\""},
      {"a=b,c=d", "a=\"b\", c=\"d\""},
      {"a=b,", "a=\"b\""},
      {"a=", "a=\"\""},
      {"a=\"\"", "a=\"\""},
      {"a=\"x,y}\"", "a=\"x,y}\""},
      {"a=two words", "a=\"two words\""},
      {"a=\"q\\\"q\\\\n\\n\"", "a=\"q\\\"q\\\\n\\n\""},
      {"host=~\"db\\.shop\\d\"", "host=~\"db\\\\.shop\\\\d\""},
      {"ServiceDown", "alertname=\"ServiceDown\""},
      {"ServiceDown,service=order", "alertname=\"ServiceDown\", service=\"order\""},
      {"a==b", "a=\"=b\""},
      {"{}", ""},
      {"k8s.pod=a-1", "k8s.pod=\"a-1\""},
      {"{\"k8s.pod\"=~\"a.*\", région!=eu}", "k8s.pod=~\"a.*\", région!=\"eu\""},
      {"\"two words\"=x", "\"two words\"=\"x\""},
      {"\"a=\\\"b\"!=x", "\"a=\\\"b\"!=\"x\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto got = model::parse_matchers(row.text);
    REQUIRE(got);
    CHECK(model::to_string(*got) == row.want);
  }
}

TEST_CASE("a word without an operator is a mistake where no alert's name is meant") {
  const auto refused = model::parse_matchers("a=b,ServiceDown", model::BareWord::refused);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "bad matcher a=b,ServiceDown (column 16): expected one of =, !=, =~ and !~");
  CHECK(model::parse_matchers("a=b, c!~\"d\"", model::BareWord::refused));
}

TEST_CASE("a bad matcher is named with the column of the mistake") {
  struct Row {
    std::string text, want;
  };
  const Row rows[] = {
      {"", "bad matcher  (column 1): expected the name of a label, as in service=order"},
      {"=order", "bad matcher =order (column 1): expected the name of a label, as in service=order"},
      {"service~order", "bad matcher service~order (column 8): expected one of =, !=, =~ and !~"},
      {"a!b", "bad matcher a!b (column 3): expected one of =, !=, =~ and !~"},
      {"a=\"b", "bad matcher a=\"b (column 5): the closing quotation mark is missing"},
      {"{a=b", "bad matcher {a=b (column 5): expected a comma or the closing brace"},
      {"a=\"b\"c",
       "bad matcher a=\"b\"c (column 6): expected a comma or the end; quote a value that has a comma, a brace "
       "or a quotation mark"},
      {"a=b}",
       "bad matcher a=b} (column 4): expected a comma or the end; quote a value that has a comma, a brace or a "
       "quotation mark"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto got = model::parse_matchers(row.text);
    REQUIRE_FALSE(got);
    CHECK(got.error().text == row.want);
  }
  CHECK(model::parse_matchers("a=~\"(\"").error().text.starts_with("bad matcher a=~\"(\" (column 7): "));
}
