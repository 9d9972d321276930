#include "model/labels.h"

#include "model/annotations.h"

#include <doctest/doctest.h>

using model::Labels;

TEST_CASE("labels are sorted by name, the later of two wins, and an empty value is no label") {
  const Labels labels{{"b", "2"}, {"a", "1"}, {"b", "3"}, {"c", ""}};
  CHECK(labels.to_string() == R"({a="1", b="3"})");
  CHECK(labels.size() == 2);
  CHECK(labels.get("c") == "");
  CHECK(labels == Labels{{"a", "1"}, {"b", "3"}});
  CHECK(labels.hash() == Labels{{"b", "3"}, {"a", "1"}}.hash());
}

TEST_CASE("a series prints as Prometheus prints it") {
  CHECK(Labels{}.to_string() == "{}");
  CHECK(Labels{{"__name__", "up"}}.to_string() == "up");
  CHECK(Labels{{"__name__", "up"}, {"job", "a\"b\\c\nd"}}.to_string() == R"(up{job="a\"b\\c\nd"})");
}

TEST_CASE("labels order by name, then value, then number") {
  CHECK(Labels{{"a", "1"}} < Labels{{"a", "2"}});
  CHECK(Labels{{"a", "2"}} < Labels{{"b", "1"}});
  CHECK(Labels{{"a", "1"}} < Labels{{"a", "1"}, {"b", "1"}});
  CHECK(Labels{} < Labels{{"a", "1"}});
}

TEST_CASE("changed copies leave the original alone") {
  const Labels labels{{"__name__", "up"}, {"job", "x"}};
  CHECK(labels.with("job", "y").get("job") == "y");
  CHECK(labels.with("job", "").size() == 1);
  CHECK(labels.without_metric_name() == Labels{{"job", "x"}});
  CHECK(labels.merged(Labels{{"job", "z"}, {"k", "v"}}).to_string() == R"(up{job="z", k="v"})");
  CHECK(labels.get("job") == "x");
}

TEST_CASE("labels that are joined are as those that were made at once, and share what they are made of") {
  const Labels name{{"__name__", "up"}}, rest{{"job", "x"}, {"zone", "eu"}};
  const Labels whole{{"__name__", "up"}, {"job", "x"}, {"zone", "eu"}};
  const Labels joined = name.joined(rest);
  CHECK(joined == whole);
  CHECK(joined.hash() == whole.hash());
  CHECK((joined <=> whole) == std::strong_ordering::equal);
  CHECK(joined.to_string() == whole.to_string());
  CHECK(joined.size() == 3);
  CHECK(joined[2] == model::Label{"zone", "eu"});
  CHECK(joined.get("job") == "x");
  CHECK(joined.get("more") == "");
  CHECK(joined.page_text() == std::nullopt);
  CHECK(joined.bytes() < whole.bytes());
  CHECK(joined.with("job", "y") == whole.with("job", "y"));
  CHECK(joined.without("zone") == whole.without("zone"));
  CHECK(joined.without_metric_name() == rest);
  CHECK(joined.without_metric_name().page_text() == rest.page_text());
  CHECK(joined.merged(Labels{{"job", "z"}}) == whole.merged(Labels{{"job", "z"}}));
  const Labels outlives = Labels{{"__name__", "m"}}.joined(Labels{{"a", "1"}});
  CHECK(outlives.to_string() == R"(m{a="1"})");
}

TEST_CASE("labels are joined in order of names, whatever the parts are") {
  const Labels name{{"__name__", "up"}};
  CHECK(Labels{}.joined(name) == name);
  CHECK(name.joined(Labels{}) == name);
  // Upper-case letters sort before the underscore.
  CHECK(name.joined(Labels{{"Zone", "eu"}}) == Labels{{"Zone", "eu"}, {"__name__", "up"}});
  CHECK(name.joined(Labels{{"Zone", "eu"}})[0].name == "Zone");
  CHECK(name.joined(Labels{{"a", "1"}}).joined(Labels{{"b", "2"}}) ==
        Labels{{"__name__", "up"}, {"a", "1"}, {"b", "2"}});
}

TEST_CASE("an annotation may be empty, a label may not") {
  const Labels texts{{"gone", model::kept_text("")}, {"label", ""}, {"summary", model::kept_text("x")}};
  CHECK(texts.to_string() == R"({gone="", summary="x"})");
  CHECK(texts.with("more", "y").without("summary").to_string() == R"({gone="", more="y"})");
  CHECK(Labels{}.merged(texts) == texts);
  CHECK_FALSE(texts.has("gone"));
  CHECK(texts != Labels{{"summary", "x"}});
}

TEST_CASE("the hash is Alertmanager's fingerprint") {
  // A captured payload of Alertmanager 0.25 carries this fingerprint for these labels.
  const Labels labels{{"alertname", "Down"}, {"instance", "n1"}, {"severity", "page"}};
  CHECK(labels.hash() == 0x4491b11ec607f56eu);
}

TEST_CASE("the text of a page is kept as it stands there, unless something of it is to be escaped or left out") {
  struct Row {
    Labels labels;
    std::optional<std::string_view> want;
  };
  for (const Row& row : std::initializer_list<Row>{
           {{}, ""},
           {{{"service", "order"}}, R"(service="order")"},
           {{{"service", "order"}, {"probe", "http"}}, R"(probe="http",service="order")"},
           {{{"path", R"(C:\x)"}}, std::nullopt},
           {{{"path", R"(say "x")"}, {"service", "order"}}, std::nullopt},
           {{{"path", "a\nb"}}, std::nullopt},
           {{{"__name__", "up"}, {"service", "order"}}, std::nullopt},
       }) {
    CAPTURE(row.labels.to_string());
    CHECK(row.labels.page_text() == row.want);
  }
  const Labels changed = Labels{{"path", "a\nb"}}.with("path", "ab").with("zone", "eu");
  CHECK(changed.page_text() == R"(path="ab",zone="eu")");
  CHECK(changed.get("zone") == "eu");
}
