#include "model/outcome.h"

#include <doctest/doctest.h>

#include <string>

using namespace std::string_literals;

TEST_CASE("every reason has a name of its own that reads back") {
  for (const model::Reason reason : model::all_reasons()) {
    CAPTURE(model::to_string(reason));
    CHECK(!model::to_string(reason).empty());
    CHECK(model::parse_reason(model::to_string(reason)) == reason);
  }
  CHECK(model::all_reasons().size() == 28);
  CHECK_FALSE(model::parse_reason("banana").has_value());
}

TEST_CASE("what a peer wrote is made fit for labels, pages and terminals") {
  struct Row {
    const char* name;
    std::string value, want;
  };
  for (const Row& row :
       {Row{"plain", "eth0", "eth0"}, Row{"ISO 8859-1", "a\xe9", "a\ufffd"},
        Row{"an escape code", "\x1b[31m", "\\x1b[31m"}, Row{"NUL", "a\0b"s, "a\\x00b"},
        Row{"overlong", "\xc0\xaf", "\ufffd\ufffd"}, Row{"a surrogate", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
        Row{"an override", "\u202ex", "\\u202ex"}, Row{"lines, which a label may have", "a\nb", "a\nb"},
        Row{"a megabyte", std::string(1 << 20, 'x'), std::string(model::kLabelValueLimit - 3, 'x') + "…"}}) {
    CAPTURE(row.name);
    model::Outcome outcome = model::Outcome::success("said " + row.value);
    outcome.measurements.push_back({"probe_x", 1, {{"label", row.value}}});
    model::make_fit(outcome);
    CHECK(outcome.text.size() <= model::kTextLimit);
    CHECK(outcome.text.find('\x1b') == std::string::npos);
    REQUIRE(outcome.measurements.size() == 1);
    CHECK(outcome.measurements[0].labels.get("label") == row.want);
    CHECK(outcome.left_out == 0);
  }
}

TEST_CASE("samples that Prometheus would refuse are left out and counted") {
  model::Outcome outcome = model::Outcome::success("");
  for (const char* name : {"good_name", "a:b", "1st", "", "with space", "caf\xe9"})
    outcome.measurements.push_back({name, 1, {}});
  for (const char* label : {"good", "a:b", "0", "a-b"}) outcome.measurements.push_back({"m", 1, {{label, "x"}}});
  outcome.measurements.push_back({"two", 1, {{"a", "\xe9"}}});
  outcome.measurements.push_back({"two", 2, {{"a", "\xe8"}}});
  model::make_fit(outcome);
  std::string kept;
  for (const model::Measurement& m : outcome.measurements)
    kept += m.labels.with(model::kMetricName, m.name).to_string() + " ";
  CHECK(kept == "good_name a:b m{good=\"x\"} two{a=\"\ufffd\"} ");
  CHECK(outcome.left_out == 8);
}
