#include "rules/unit_test_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/file.h"
#include "config/schema.h"
#include "promql/parser.h"
#include "rules/go_format.h"
#include "rules/series_values.h"

namespace rules {
namespace {

using config::Errors;
using config::Node;
using config::Schema;

// A number as YAML writes it (.inf, .nan, 0x1F) or as Prometheus does (+Inf, NaN).
bool read_value(const Node& node, double& out) {
  if (!node.is_scalar()) return false;
  std::string text = node.scalar();
  if (const auto dot = text.find('.'); dot <= 1 && text.size() > dot + 1 && std::isalpha(text[dot + 1]) != 0)
    text.erase(dot, 1);
  if (text.size() > 2 && text[0] == '0' && text[1] == 'x') {
    out = std::strtod(text.c_str(), nullptr);
    return true;
  }
  const auto value = go::parse_float(text);
  if (value) out = *value;
  return value.has_value();
}

void read_metric(const Node& node, model::Labels& out, const std::string& path, Errors& errors) {
  std::string text, why;
  if (node.is_null()) return;
  if (!config::read(node, text, why)) return errors.add(node.mark(), path, why);
  if (text.empty()) return;
  auto labels = promql::parse_metric(text);
  if (labels) out = std::move(*labels);
  else errors.add(node.mark(), path, labels.error().text);
}

const Schema<InputSeries>& series_schema() {
  static const auto schema = Schema<InputSeries>("input_series")
                                 .custom("series", "The series with its labels.", "",
                                         [](const Node& node, InputSeries& s, const std::string& path, Errors& errors) {
                                           read_metric(node, s.labels, path, errors);
                                         })
                                 .custom("values", "One value per interval.", "",
                                         [](const Node& node, InputSeries& s, const std::string& path, Errors& errors) {
                                           if (!node.is_scalar())
                                             return errors.add(node.mark(), path, config::expected("values", node));
                                           auto values = parse_series_values(node.scalar());
                                           if (values) s.values = std::move(*values);
                                           else errors.add(node.mark(), path, values.error().text);
                                         });
  return schema;
}

const Schema<ExpectedAlert>& expected_alert_schema() {
  static const auto schema = Schema<ExpectedAlert>("exp_alerts")
                                 .optional("exp_labels", &ExpectedAlert::labels, "All labels but alertname.")
                                 .optional("exp_annotations", &ExpectedAlert::annotations, "All annotations.");
  return schema;
}

const Schema<AlertTest>& alert_schema() {
  static const auto schema =
      Schema<AlertTest>("alert_rule_test")
          .optional("eval_time", &AlertTest::eval_time, "Since the start of the test.")
          .optional("alertname", &AlertTest::alertname, "Which alert.")
          .custom("exp_alerts", "The alerts that fire then; none if left out.", "[]",
                  [](const Node& node, AlertTest& test, const std::string& path, Errors& errors) {
                    std::size_t i = 0;
                    for (const Node& one : node.items()) {
                      const std::string at = fmt::format("{}[{}]", path, i++);
                      if (!one.is_null()) test.expected.push_back(expected_alert_schema().parse(one, at, errors));
                      else test.expected.emplace_back();
                    }
                  });
  return schema;
}

const Schema<ExpectedSample>& sample_schema() {
  static const auto schema =
      Schema<ExpectedSample>("exp_samples")
          .custom("labels", "The metric with its labels.", "{}",
                  [](const Node& node, ExpectedSample& s, const std::string& path, Errors& errors) {
                    read_metric(node, s.labels, path, errors);
                  })
          .custom("value", "The exact value.", "0",
                  [](const Node& node, ExpectedSample& s, const std::string& path, Errors& errors) {
                    if (!node.is_null() && !read_value(node, s.value))
                      errors.add(node.mark(), path, config::expected("a number", node));
                  });
  return schema;
}

const Schema<ExpressionTest>& expression_schema() {
  static const auto schema = Schema<ExpressionTest>("promql_expr_test")
                                 .optional("expr", &ExpressionTest::expr, "The expression.")
                                 .optional("eval_time", &ExpressionTest::eval_time, "Since the start of the test.")
                                 .list("exp_samples", &ExpressionTest::expected, sample_schema(), "The whole result.");
  return schema;
}

const Schema<TestGroup>& group_schema() {
  static const auto schema =
      Schema<TestGroup>("tests")
          .optional("name", &TestGroup::name, "For messages.")
          .optional("interval", &TestGroup::interval, "Between two values of a series.")
          .list("input_series", &TestGroup::series, series_schema(), "The data.")
          .list("alert_rule_test", &TestGroup::alerts, alert_schema(), "Alerts that must fire.")
          .list("promql_expr_test", &TestGroup::expressions, expression_schema(), "Expressions and their results.")
          .optional("external_labels", &TestGroup::external_labels, "For templates.")
          .optional("external_url", &TestGroup::external_url, "For templates.")
          .custom("start_timestamp", "When the test starts: seconds since the epoch, or RFC 3339.", "0",
                  [](const Node& node, TestGroup& test, const std::string& path, Errors& errors) {
                    double seconds = 0;
                    if (const auto t = base::parse_iso8601(node.scalar())) test.start_ms = base::to_ms(*t);
                    else if (read_value(node, seconds) && std::abs(seconds) < 9e12)
                      test.start_ms = static_cast<std::int64_t>(seconds * 1000);
                    else errors.add(node.mark(), path, config::expected("a time", node));
                  });
  return schema;
}

const Schema<TestFile>& file_schema() {
  static const auto schema =
      Schema<TestFile>("unit tests")
          .optional("rule_files", &TestFile::rule_files, "Files or patterns, relative to this file.")
          .optional("evaluation_interval", &TestFile::evaluation_interval, "Between two evaluations of all groups.")
          .optional("group_eval_order", &TestFile::group_eval_order, "Names of groups.")
          .optional("fuzzy_compare", &TestFile::fuzzy_compare, "Values may differ in the last bit.")
          .list("tests", &TestFile::tests, group_schema(), "The tests.");
  return schema;
}

}  // namespace

base::Millis TestGroup::last_eval_time() const {
  base::Millis last{0};
  for (const AlertTest& test : alerts) last = std::max(last, test.eval_time);
  for (const ExpressionTest& test : expressions) last = std::max(last, test.eval_time);
  return last;
}

TestFile load_test_file(const std::string& path, Errors& errors) {
  const auto text = base::read_file(path);
  if (!text) {
    errors.add({path, 0, 0}, "", text.error().text);
    return {};
  }
  const Node root = Node::parse(*text, path, errors);
  if (root.is_null()) return {};
  TestFile file = file_schema().parse(root, "", errors);
  if (file.evaluation_interval.count() <= 0) file.evaluation_interval = base::Millis{60'000};
  std::vector<std::string> found;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const std::string& pattern : file.rule_files) {
    const std::vector<std::string> files = base::glob((folder / pattern).string());
    if (files.empty())
      errors.add(root.find("rule_files").mark(), "rule_files", fmt::format("no file matches {}", pattern));
    found.insert(found.end(), files.begin(), files.end());
  }
  file.rule_files = std::move(found);
  for (TestGroup& test : file.tests)
    if (test.interval.count() <= 0) test.interval = base::Millis{60'000};
  return file;
}

}  // namespace rules
