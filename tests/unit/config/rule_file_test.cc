#include "config/rule_file.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "golden.h"

namespace {

std::string mistakes_of(const std::string& text) {
  config::Errors errors;
  (void)config::parse_rule_file(text, "r.yml", errors, config::RuleFormat::prometheus_2);
  return errors.text();
}

struct Verdict {
  std::string name;
  std::string text;
  bool good;
};

// Rows without group labels and query_offset, which only Prometheus 3 has.
const std::vector<Verdict>& verdicts() {
  static const auto in_rule = [](const std::string& fields) {
    return "groups: [{name: g, rules: [{" + fields + "}]}]\n";
  };
  static const std::vector<Verdict> rows = {
      {"empty", "", true},
      {"only a comment", "# x\n", true},
      {"no group", "groups: []\n", true},
      {"groups without value", "groups:\n", true},
      {"groups as text", "groups: x\n", false},
      {"another key", "group: []\n", false},
      {"a group without name", "groups: [{rules: []}]\n", false},
      {"an empty group", "groups: [~]\n", true},
      {"a group twice", "groups: [{name: a}, {name: a}]\n", false},
      {"a number as name", "groups: [{name: 5}]\n", true},
      {"interval without unit", "groups: [{name: a, interval: 5}]\n", false},
      {"interval zero", "groups: [{name: a, interval: 0}]\n", true},
      {"interval with a fraction", "groups: [{name: a, interval: 1.5s}]\n", false},
      {"interval in the wrong order", "groups: [{name: a, interval: 1s1h}]\n", false},
      {"a negative interval", "groups: [{name: a, interval: -1s}]\n", false},
      {"an empty interval", "groups: [{name: a, interval: }]\n", true},
      {"an empty string as interval", "groups: [{name: a, interval: \"\"}]\n", false},
      {"years", "groups: [{name: a, interval: 1y2w3d4h5m6s7ms}]\n", true},
      {"limit", "groups: [{name: a, limit: 5}]\n", true},
      {"a negative limit", "groups: [{name: a, limit: -5}]\n", true},
      {"limit as text", "groups: [{name: a, limit: x}]\n", false},
      {"limit in YAML's other ways",
       "groups: [{name: a, limit: 0x10}, {name: b, limit: 1_000}, {name: c, limit: 017}]\n", true},
      {"limit with an exponent or a fraction", "groups: [{name: a, limit: 1e2}, {name: b, limit: 5.5}]\n", true},
      {"limit in quotes", "groups: [{name: a, limit: '5'}]\n", false},
      {"limit beyond all numbers", "groups: [{name: a, limit: 99999999999999999999}]\n", false},
      {"an alert", in_rule("alert: A, expr: up"), true},
      {"a recording", in_rule("record: a, expr: up"), true},
      {"colons in a metric name", in_rule("record: 'a:b', expr: up"), true},
      {"an empty rule", "groups: [{name: g, rules: [~]}]\n", true},
      {"a rule that is text", "groups: [{name: g, rules: [x]}]\n", false},
      {"no expression", in_rule("alert: A"), false},
      {"an empty expression", in_rule("alert: A, expr: ''"), false},
      {"neither", in_rule("expr: up"), false},
      {"both", in_rule("alert: A, record: a, expr: up"), false},
      {"for in a recording", in_rule("record: a, expr: up, for: 1m"), false},
      {"for zero in a recording", in_rule("record: a, expr: up, for: 0s"), true},
      {"keep_firing_for in a recording", in_rule("record: a, expr: up, keep_firing_for: 1m"), false},
      {"annotations in a recording", in_rule("record: a, expr: up, annotations: {b: c}"), false},
      {"no annotations in a recording", in_rule("record: a, expr: up, annotations: {}"), true},
      {"a metric name with a dash", in_rule("record: a-b, expr: up"), false},
      {"a metric name with a digit first", in_rule("record: 1a, expr: up"), false},
      {"a label with a dash", in_rule("alert: A, expr: up, labels: {a-b: c}"), false},
      {"__name__ as a label", in_rule("alert: A, expr: up, labels: {__name__: c}"), false},
      {"__name__ as an annotation", in_rule("alert: A, expr: up, annotations: {__name__: c}"), true},
      {"an annotation with a dash", in_rule("alert: A, expr: up, annotations: {a-b: c}"), false},
      {"a number as label", in_rule("alert: A, expr: up, labels: {a: 5}"), true},
      {"true as label", in_rule("alert: A, expr: up, labels: {a: true}"), true},
      {"nothing as label", in_rule("alert: A, expr: up, labels: {a: }"), true},
      {"a list as label", in_rule("alert: A, expr: up, labels: {a: [b]}"), false},
      {"labels as a list", in_rule("alert: A, expr: up, labels: [a]"), false},
      {"labels without value", in_rule("alert: A, expr: up, labels: "), true},
      {"a key twice", in_rule("alert: A, alert: A, expr: up"), false},
      {"a label twice", in_rule("alert: A, expr: up, labels: {a: b, a: b}"), false},
      {"an unknown key", in_rule("alert: A, expr: up, severity: page"), false},
      {"anchors", in_rule("alert: A, expr: &e up, labels: &l {a: b}}, {alert: B, expr: *e, labels: *l"), true},
      {"a tab as indentation", "groups:\n\t- name: a\n", false},
      {"a quote left open", "groups:\n- name: \"a\n", false},
      {"text after the document", "{groups: []} x: y\n", false},
  };
  return rows;
}

}  // namespace

TEST_CASE("every bad rule file is answered with all its mistakes, word for word") {
  const std::vector<std::string> inputs = golden::inputs("bad/rules");
  REQUIRE(inputs.size() >= 2);
  for (const std::string& path : inputs) {
    CAPTURE(path);
    config::Errors errors;
    (void)config::load_rule_file(path, errors);
    CHECK_FALSE(errors.empty());
    const std::string got = golden::without_folder(errors.text(), path);
    CHECK(got == golden::expected(path, got));
  }
}

TEST_CASE("a rule file is taken or refused as Prometheus 2.42 does") {
  for (const Verdict& row : verdicts()) {
    CAPTURE(row.name);
    CHECK(mistakes_of(row.text).empty() == row.good);
    if (row.good) CHECK(mistakes_of(row.text) == "");
  }
}

TEST_CASE("promtool gives the same verdicts") {
  if (std::system("promtool --version >/dev/null 2>&1") != 0) {
    MESSAGE("skipped: promtool is not installed (Debian package prometheus)");
    return;
  }
  std::string folder = std::filesystem::temp_directory_path() / "fettle-rules-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()));
  for (const Verdict& row : verdicts()) {
    CAPTURE(row.name);
    const std::string path = folder + "/r.yml";
    REQUIRE(base::write_file_atomically(path, row.text).has_value());
    CHECK((std::system(("promtool check rules " + path + " >/dev/null 2>&1").c_str()) == 0) == row.good);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("groups and rules arrive with their places") {
  config::Errors errors;
  const auto groups = config::load_rule_file(golden::folder("good") + "/rules.yml", errors);
  REQUIRE(errors.text() == "");
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].name == "5");
  REQUIRE(groups[0].rules.size() == 2);
  const config::Rule& alert = groups[0].rules[0];
  CHECK(alert.alert == "ServiceDown");
  CHECK(alert.record == "");
  CHECK(alert.expr == "fettle_service_up\n  == 0\n");
  CHECK(alert.expr_place.line == 9);
  CHECK(alert.expr_place.column == 11);
  CHECK(alert.place.line == 7);
  CHECK(alert.for_duration == base::Millis{30'000});
  CHECK(alert.keep_firing_for == base::Millis{5'400'000});
  CHECK(alert.labels == decltype(alert.labels){{"severity", "page"}, {"empty", ""}, {"number", "5"}});
  CHECK(alert.path == "groups[0].rules[0]");
  const config::Rule& recording = groups[0].rules[1];
  CHECK(recording.record == "job:up:sum");
  CHECK(recording.expr_place.line == 16);
  CHECK(recording.expr_place.column == 16);
}

TEST_CASE("the two group keys of Prometheus 3 are read") {
  config::Errors errors;
  const auto groups =
      config::parse_rule_file("groups: [{name: g, query_offset: 1m, labels: {team: shop}}]", "r.yml", errors);
  REQUIRE(errors.text() == "");
  CHECK(groups[0].query_offset == base::Millis{60'000});
  CHECK(groups[0].labels.to_string() == "{team=\"shop\"}");
}

TEST_CASE("names of UTF-8, labels of a group and query_offset are Prometheus 3's; 2.42 refuses them") {
  const std::string text = R"(groups:
  - name: g
    rules:
      - {record: "http.server.duration", expr: up, labels: {"k8s.pod": a}}
      - {alert: A, expr: up, labels: {"team-name": a}, annotations: {"run.book": b}}
)";
  config::Errors errors;
  const auto groups = config::parse_rule_file(text, "r.yml", errors, config::RuleFormat::prometheus_3);
  CHECK(errors.text() == "");
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].rules[0].record == "http.server.duration");
  CHECK(groups[0].rules[1].annotations[0].first == "run.book");
  (void)config::parse_rule_file(text, "r.yml", errors, config::RuleFormat::prometheus_2);
  CHECK(errors.size() == 4);
  config::Errors of_group;
  (void)config::parse_rule_file("groups: [{name: g, query_offset: 1m, labels: {team: shop}}]", "r.yml", of_group,
                                config::RuleFormat::prometheus_2);
  CHECK(of_group.size() == 2);
  config::Errors bad;
  (void)config::parse_rule_file("groups: [{name: g, rules: [{alert: A, expr: up, labels: {'': a, __name__: b}}]}]",
                                "r.yml", bad);
  CHECK(bad.size() == 2);
}

// Two of Prometheus' own habits: prometheus/model/rulefmt/testdata/test_aliases.yaml, and a second document.
TEST_CASE("a rule takes its keys from an anchor, and of two documents the first counts") {
  const std::string text = R"(groups:
  - name: g
    rules:
      - &first {alert: A, expr: up, for: 1m, labels: &labels {severity: page}}
      - {<<: *first, alert: B, labels: {<<: *labels, team: shop}}
---
groups: [{name: other}]
)";
  config::Errors errors;
  const auto groups = config::parse_rule_file(text, "r.yml", errors);
  CHECK(errors.text() == "");
  CHECK(errors.warnings().size() == 1);
  REQUIRE(groups.size() == 1);
  REQUIRE(groups[0].rules.size() == 2);
  const config::Rule& b = groups[0].rules[1];
  CHECK(b.alert == "B");
  CHECK(b.expr == "up");
  CHECK(b.for_duration == base::Millis{60'000});
  CHECK(b.labels == std::vector<std::pair<std::string, std::string>>{{"team", "shop"}, {"severity", "page"}});
}
