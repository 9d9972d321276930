#include "encoding/exposition_families.h"

#include <doctest/doctest.h>

#include <cmath>

#include "encoding/exposition_reader.h"

TEST_CASE("a page in text format reads with labels, escapes, special values and milliseconds") {
  const auto families = encoding::parse_exposition(
      "# HELP up Whether it is up.\n"
      "# TYPE up gauge\n"
      "up{job=\"a\\\"b\\\\c\\nd\",x=\"1\"} 1 1700000000123\n"
      "up +Inf\n"
      "# a comment\n"
      "\n"
      "no_type NaN\n");
  REQUIRE(families.has_value());
  REQUIRE(families->size() == 2);
  const auto& up = (*families)[0];
  CHECK(up.type == "gauge");
  CHECK(up.help == "Whether it is up.");
  REQUIRE(up.samples.size() == 2);
  CHECK(up.samples[0].labels.get("job") == "a\"b\\c\nd");
  CHECK(up.samples[0].t == 1700000000123);
  CHECK(std::isinf(up.samples[1].value));
  CHECK(std::isnan((*families)[1].samples[0].value));
}

TEST_CASE("a label of any UTF-8 is read by the name that every reader knows") {
  const auto families =
      encoding::parse_exposition("up{\"k8s.io/zone\"=\"eu\",\"naïve\"=\"x\",\"1st\"=\"y\",plain=\"z\"} 1\n");
  REQUIRE(families.has_value());
  CHECK((*families)[0].samples[0].labels.to_string() == R"(up{_st="y", k8s_io_zone="eu", na_ve="x", plain="z"})");
  CHECK(encoding::parse_exposition("up{\"a.b=\"c\"} 1\n").error().text == "line 1: expected a label as name=\"value\"");
}

TEST_CASE("OpenMetrics has seconds, and suffixes belong to their family") {
  const auto families = encoding::parse_exposition(
      "# TYPE http_requests counter\n# HELP http_requests Requests.\nhttp_requests_total 3 1700000000.5\n"
      "# TYPE lag histogram\nlag_bucket{le=\"+Inf\"} 1\nlag_sum 2\nlag_count 1\n# EOF\n");
  REQUIRE(families.has_value());
  REQUIRE(families->size() == 2);
  CHECK((*families)[0].samples[0].t == 1700000000500);
  CHECK((*families)[1].samples.size() == 3);
}

TEST_CASE("a broken page is refused with its line") {
  struct Row {
    const char* page;
    const char* want;
  };
  for (const Row& row : {Row{"up{job=a} 1\n", "line 1: a label value must stand in double quotes"},
                         Row{"up 1\nup{job=\"a} 1\n", "line 2: a label value is not closed"},
                         Row{"up x\n", "line 1: the value is no number"},
                         Row{"{} 1\n", "line 1: a sample must begin with a metric name"},
                         Row{"up 1 x\n", "line 1: the time stamp is no number"},
                         Row{"up{a=\"1\" b=\"2\"} 1\n", "line 1: expected , or } after a label"},
                         Row{"# TYPE a gauge\n# TYPE a counter\n", "line 2: a second TYPE for a"},
                         Row{"up 1\r\n", "line 1: lines must end in \\n alone"}}) {
    CAPTURE(row.page);
    const auto families = encoding::parse_exposition(row.page);
    REQUIRE_FALSE(families.has_value());
    CHECK(families.error().text == row.want);
  }
}

TEST_CASE("the lint names what promtool would name") {
  const auto families = encoding::parse_exposition(
      "# TYPE a_total gauge\na_total 1\n# HELP b B.\n# TYPE b counter\nb 1\n# HELP c_ms C.\n# TYPE c_ms gauge\nc_ms "
      "1\nc_ms 2\n");
  REQUIRE(families.has_value());
  CHECK(encoding::lint(*families) == std::vector<std::string>{
                                         "a_total: no help text",
                                         "a_total: non-counter metrics should not have \"_total\" suffix",
                                         "b: counter metrics should have \"_total\" suffix",
                                         "c_ms: use base units: seconds or bytes instead of \"ms\"",
                                         "c_ms: the series c_ms stands twice",
                                     });
}

TEST_CASE("both readers of a page take the same samples for the same") {
  struct Row {
    const char* page;
    const char* label;  // the value of l; null if the line is refused
  };
  for (const Row& row : {
           Row{"a{l=\"x\\y\"} 1\n", "x\\y"},  // an escape that is none stays
           Row{"a{l=\"x\\\\y\\n\"} 1\n", "x\\y\n"},
           Row{"a { l = \"1\" , } 1\n", "1"},
           Row{"a{l=\"1\"} +Inf 5 # {id=\"2\"} 3\n", "1"},
           Row{"a{l=\"1\"} 1 # {id=\"2\"} 3\n", "1"},
           Row{"1a{l=\"1\"} 1\n", nullptr},
           Row{"a{l=\"1\"} 1_000\n", nullptr},
           Row{"a{l=\"1\" m=\"2\"} 1\n", nullptr},
       }) {
    CAPTURE(row.page);
    std::string label;
    const auto read = encoding::read_exposition(
        row.page, encoding::ExpositionFormat::text,
        {.wants = [](std::string_view) { return true; },
         .take = [&](const encoding::ScrapedSample& sample) { label = sample.labels.at(0).second; }});
    const auto families = encoding::parse_exposition(row.page);
    CHECK(read.has_value() == (row.label != nullptr));
    CHECK(families.has_value() == (row.label != nullptr));
    if (!row.label || !read || !families) continue;
    CHECK(label == row.label);
    CHECK(families->at(0).samples.at(0).labels.get("l") == row.label);
  }
}
