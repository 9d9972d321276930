#include "encoding/json.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "encoding/json_value.h"
#include "web/pages/html.h"
#include "web/server/http.h"

using encoding::Json;

TEST_CASE("JSON strings are escaped as Go's encoder escapes them") {
  struct Row {
    std::string name, text, want;
  };
  const Row rows[] = {
      {"plain", "order", R"("order")"},
      {"quotes", R"(a"b\c)", R"("a\"b\\c")"},
      {"control characters", "a\nb\tc\rd\x01", R"("a\nb\tc\rd\u0001")"},
      {"what steers a terminal", "\x7f\u009b\u202e\U000e0041", R"("\u007f\u009b\u202e\udb40\udc41")"},
      {"what could end a script", "</script>&", "\"\\u003c/script\\u003e\\u0026\""},
      {"UTF-8 stays", "größe €", "\"größe €\""},
      {"a broken byte",
       "a\xff"
       "b",
       R"("a\ufffdb")"},
      {"an overlong form", "\xc0\xaf", R"("\ufffd\ufffd")"},
      {"half a surrogate", "\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")"},
      {"cut in the middle", "\xe2\x82", R"("\ufffd\ufffd")"},
      {"line separator", "\xe2\x80\xa8", R"("\u2028")"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Json json;
    json.string(row.text);
    CHECK(json.text() == row.want);
  }
}

TEST_CASE("commas stand between values and nowhere else") {
  Json json;
  json.object([&] {
    json.key("empty").array([] {});
    json.key("list").array([&] {
      json.number(1).number(0.1);
      json.object([] {});
      json.null().boolean(true);
    });
    json.key("labels").labels({{"b", "2"}, {"a", "1"}});
  });
  CHECK(json.text() == R"({"empty":[],"list":[1,0.1,{},null,true],"labels":{"a":"1","b":"2"}})");
}

TEST_CASE("the zero time is Go's") {
  Json json;
  json.time({});
  CHECK(json.text() == R"("0001-01-01T00:00:00Z")");
}

TEST_CASE("HTML is escaped for content and attributes") {
  CHECK(web::escape("<a href=\"x\" b='y'>&\x01") == "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\\x01");
  CHECK(web::escape("caf\xe9\n\u202e") == "caf\ufffd\n\\u202e");
}

TEST_CASE("forms are decoded") {
  std::vector<std::pair<std::string, std::string>> params;
  web::add_params("query=up%7Bjob%3D%22x%22%7D&a+b=c+d&&flag&x=1=2", params);
  CHECK(params == std::vector<std::pair<std::string, std::string>>{
                      {"query", "up{job=\"x\"}"}, {"a b", "c d"}, {"flag", ""}, {"x", "1=2"}});
}

TEST_CASE("secrets compare by content and length") {
  CHECK(web::same_in_constant_time("token", "token"));
  CHECK_FALSE(web::same_in_constant_time("token", "tokem"));
  CHECK_FALSE(web::same_in_constant_time("tokentoken", "token"));
  CHECK_FALSE(web::same_in_constant_time("", "token"));
  CHECK_FALSE(web::same_in_constant_time("token", ""));
}

TEST_CASE("JSON of others is made readable, and nothing else of it is changed") {
  for (const auto& row : std::vector<std::pair<std::string, std::string>>{
           {R"({"a":"b\\u00e9"})", R"({"a":"b\\u00e9"})"},
           {R"(["\ud83d\ude00"])", R"(["\ud83d\ude00"])"},
           {R"(["\ud83d"])", R"(["\ufffd"])"},
           {R"(["\ud83dx\uDE00\n"])", R"(["\ufffdx\ufffd\n"])"},
           {R"(["\ud83d\ud83d\ude00"])", R"(["\ufffd\ud83d\ude00"])"},
           {R"(["\\ud83d"])", R"(["\\ud83d"])"},
           {"[\"caf\xe9\"]", "[\"caf\xef\xbf\xbd\"]"},
           {R"(["\ud8)", R"(["\ud8)"},
       }) {
    CAPTURE(row.first);
    CHECK(encoding::readable_json(row.first) == row.second);
  }
}

TEST_CASE("the shape of a text of JSON is known before it is read") {
  struct Row {
    std::string text;
    std::size_t depth, values;
  };
  for (const Row& row : {
           Row{"1", 0, 1},
           Row{"[]", 1, 2},
           Row{R"({"a":[1,2,{"b":{}}]})", 4, 7},
           Row{R"(["[[[[,,,,\"[[",1])", 1, 3},
           Row{"]]]][", 1, 2},
           Row{"\"[[", 0, 1},
           Row{"\"\\", 0, 1},
       }) {
    CAPTURE(row.text);
    CHECK(encoding::shape_of(row.text).depth == row.depth);
    CHECK(encoding::shape_of(row.text).values == row.values);
  }
}

TEST_CASE("JSON of others takes time by its length, and none that is little else than brackets") {
  const auto list = [](std::size_t size, const char* item) {
    std::string out = "[0";
    for (std::size_t i = 1; i < size; ++i) out.append(",").append(item);
    return out + "]";
  };
  CHECK(encoding::read_json(list(400'000, "{}")).size() == 400'000);
  CHECK(encoding::read_json(list(encoding::kMostValues, "0")).is_null());
  CHECK(encoding::read_json(std::string(32, '[') + std::string(32, ']')).is_array());
  CHECK(encoding::read_json(std::string(33, '[') + std::string(33, ']')).is_null());
  CHECK(encoding::read_json(std::string(1'000'000, '[')).is_null());
}
