#include "rules/tools/case_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/ascii.h"
#include "base/file.h"
#include "config/schema.h"
#include "config/yaml_number.h"
#include "model/annotations.h"
#include "promql/parser.h"
#include "rules/tools/series_values.h"

namespace rules {
namespace {

using config::Errors;
using config::Node;
using config::Schema;

bool read_value(const Node& node, double& out) {
  const auto value = config::yaml_number(node);
  if (value) out = *value;
  return value.has_value();
}

// As in promtool a key without a value is as good as none.
template <typename T, typename F>
typename Schema<T>::Reader scalar_of(F T::*member) {
  return [member](const Node& node, T& t, const std::string& path, Errors& errors) {
    using config::read;
    std::string why;
    if (!node.is_null() && !read(node, t.*member, why)) errors.add(node.mark(), path, why);
  };
}
template <typename T, typename F>
typename Schema<T>::Reader list_of(std::vector<F> T::*member, const Schema<F>& inner) {
  return [member, &inner](const Node& node, T& t, const std::string& path, Errors& errors) {
    if (node.is_null()) return;
    if (!node.is_sequence()) return errors.add(node.mark(), path, config::expected("a list", node));
    for (const Node& item : node.items()) {
      const std::string at = fmt::format("{}[{}]", path, (t.*member).size());
      if (item.is_null()) (t.*member).emplace_back();
      else (t.*member).push_back(inner.parse(item, at, errors));
    }
  };
}

// Unlike in a series an empty value stays, as in promtool: an alert never has it as a label, and may as an annotation.
template <typename T>
typename Schema<T>::Reader texts_of(model::Labels T::*member) {
  return [member](const Node& node, T& t, const std::string& path, Errors& errors) {
    std::map<std::string, std::string> texts;
    std::string why;
    if (node.is_null()) return;
    if (!config::read(node, texts, why)) return errors.add(node.mark(), path, why);
    std::vector<model::Label> labels;
    for (const auto& [name, text] : texts) labels.push_back({name, model::kept_text(text)});
    t.*member = model::Labels(std::move(labels));
  };
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
                                           if (node.is_null()) return;
                                           if (!node.is_scalar())
                                             return errors.add(node.mark(), path, config::expected("values", node));
                                           auto values = parse_series_values(node.scalar());
                                           if (values) {
                                             s.values = std::move(values->values);
                                             s.native = values->native;
                                           } else errors.add(node.mark(), path, values.error().text);
                                         });
  return schema;
}

const Schema<ExpectedAlert>& expected_alert_schema() {
  static const auto schema =
      Schema<ExpectedAlert>("exp_alerts")
          .custom("exp_labels", "All labels but alertname.", "", texts_of(&ExpectedAlert::labels))
          .custom("exp_annotations", "All annotations.", "", texts_of(&ExpectedAlert::annotations));
  return schema;
}

const Schema<AlertTest>& alert_schema() {
  static const auto schema =
      Schema<AlertTest>("alert_rule_test")
          .custom("eval_time", "Since the start of the test.", "", scalar_of(&AlertTest::eval_time))
          .custom("alertname", "Which alert.", "", scalar_of(&AlertTest::alertname))
          .custom("exp_alerts", "The alerts that fire then; none if left out.", "[]",
                  list_of(&AlertTest::expected, expected_alert_schema()));
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
                      errors.add(node.mark(), path, config::expected("a number such as 1.5 or .inf", node));
                  })
          .custom("histogram", "A native histogram; they are not supported.", "",
                  [](const Node& node, ExpectedSample&, const std::string& path, Errors& errors) {
                    if (node.is_scalar() && !node.scalar().empty())
                      errors.add(node.mark(), path, "native histograms are not supported here");
                  });
  return schema;
}

const Schema<ExpressionTest>& expression_schema() {
  static const auto schema =
      Schema<ExpressionTest>("promql_expr_test")
          .custom("expr", "The expression.", "", scalar_of(&ExpressionTest::expr))
          .custom("eval_time", "Since the start of the test.", "", scalar_of(&ExpressionTest::eval_time))
          .custom("exp_samples", "The whole result.", "[]", list_of(&ExpressionTest::expected, sample_schema()));
  return schema;
}

const Schema<TestGroup>& group_schema() {
  static const auto schema =
      Schema<TestGroup>("tests")
          .custom("name", "For messages.", "", scalar_of(&TestGroup::name))
          .custom("interval", "Between two values of a series.", "", scalar_of(&TestGroup::interval))
          .custom("input_series", "The data.", "[]", list_of(&TestGroup::series, series_schema()))
          .custom("alert_rule_test", "Alerts that must fire.", "[]", list_of(&TestGroup::alerts, alert_schema()))
          .custom("promql_expr_test", "Expressions and their results.", "[]",
                  list_of(&TestGroup::expressions, expression_schema()))
          .custom("external_labels", "For templates.", "", scalar_of(&TestGroup::external_labels))
          .custom("external_url", "For templates.", "", scalar_of(&TestGroup::external_url))
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
          .custom("rule_files", "Files or patterns, relative to this file.", "", scalar_of(&TestFile::rule_files))
          .custom("evaluation_interval", "Between two evaluations of all groups.", "",
                  scalar_of(&TestFile::evaluation_interval))
          .custom("group_eval_order", "Names of groups.", "", scalar_of(&TestFile::group_eval_order))
          .custom("fuzzy_compare", "Values may differ in the last bit.", "",
                  [](const Node& node, TestFile& file, const std::string& path, Errors& errors) {
                    // With the words of YAML 1.1.
                    const std::string word = node.quoted() ? "" : base::lower_case(node.scalar());
                    const bool yes = word == "true" || word == "yes" || word == "on" || word == "y";
                    const bool no = word == "false" || word == "no" || word == "off" || word == "n";
                    if (!node.is_null() && !yes && !no)
                      errors.add(node.mark(), path, config::expected("true or false", node));
                    file.fuzzy_compare = yes;
                  })
          .custom("tests", "The tests.", "[]", list_of(&TestFile::tests, group_schema()));
  return schema;
}

// What no reader of a single key can see.
void check(const Node& root, const TestFile& file, promql::Compat compat, Errors& errors) {
  if (compat == promql::Compat::v2) {
    const auto refuse = [&errors](const Node& mapping, const std::string& path, const char* key) {
      for (const auto& [name, value] : mapping.entries())
        if (name.scalar() == key)
          errors.add(name.mark(), path + key, "unknown key in Prometheus 2; the one of 3 knows it (promql.compat 3)");
    };
    refuse(root, "", "fuzzy_compare");
    const std::vector<Node> tests = root.find("tests").items();
    for (std::size_t i = 0; i < tests.size(); ++i) {
      refuse(tests[i], fmt::format("tests[{}].", i), "start_timestamp");
      for (const Node& series : tests[i].find("input_series").items()) {
        const auto refuse_series = [&](const Node& text, const std::string& why) {
          errors.add(text.mark(), fmt::format("tests[{}].input_series", i), why);
        };
        if (const Node text = series.find("series"); !text.scalar().empty() && promql::parse_metric(text.scalar()))
          if (const auto labels = promql::parse_metric(text.scalar(), compat); !labels)
            refuse_series(text, labels.error().text);
        if (const Node text = series.find("values"); parse_series_values(text.scalar()))
          if (const auto values = parse_series_values(text.scalar(), compat); !values)
            refuse_series(text, values.error().text + "; Prometheus 3 knows it (promql.compat 3)");
      }
    }
  }
  for (std::size_t i = 0; i < file.tests.size(); ++i) {
    const std::vector<Node> series = root.find("tests").items()[i].find("input_series").items();
    for (std::size_t j = 0; j < series.size(); ++j)
      if (series[j].find("series").scalar().empty() && starts_with_number(series[j].find("values").scalar()))
        errors.add(series[j].mark(), fmt::format("tests[{}].input_series[{}]", i, j),
                   "has values and no series: write series: 'up{job=\"order\"}'");
  }
  std::set<std::string> ordered;
  for (const std::string& group : file.group_eval_order)
    if (!ordered.insert(group).second)
      errors.add(root.find("group_eval_order").mark(), "group_eval_order", fmt::format("names {} twice", group));
  for (std::size_t i = 0; i < file.tests.size(); ++i)
    for (std::size_t j = 0; j < file.tests[i].alerts.size(); ++j)
      if (file.tests[i].alerts[j].alertname.empty())
        errors.add(root.find("tests").items()[i].find("alert_rule_test").items()[j].mark(),
                   fmt::format("tests[{}].alert_rule_test[{}]", i, j), "needs an alertname");
}

// A series that is written twice has the values of the last one, as in promtool.
void keep_last_of_each(std::vector<InputSeries>& series) {
  std::set<model::Labels> later;
  for (std::size_t i = series.size(); i-- > 0;)
    if (!later.insert(series[i].labels).second) series.erase(series.begin() + static_cast<std::ptrdiff_t>(i));
}

}  // namespace

base::Millis TestGroup::last_eval_time() const {
  base::Millis last{0};
  for (const AlertTest& test : alerts) last = std::max(last, test.eval_time);
  for (const ExpressionTest& test : expressions) last = std::max(last, test.eval_time);
  return last;
}

TestFile load_test_file(const std::string& path, promql::Compat compat, Errors& errors) {
  const auto text = base::read_file(path);
  if (!text) {
    errors.add({path, 0, 0}, "", text.error().text);
    return {};
  }
  const Node root = Node::parse(*text, path, errors, config::Documents::first);
  if (root.is_null()) return {};
  TestFile file = file_schema().parse(root, "", errors);
  if (file.evaluation_interval.count() <= 0) file.evaluation_interval = base::Millis{60'000};
  std::vector<std::string> found;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const std::string& pattern : file.rule_files) {
    const std::vector<std::string> files = base::glob((folder / pattern).string());
    if (files.empty())
      errors.warn(root.find("rule_files").mark(), "rule_files", fmt::format("no file matches {}", pattern));
    found.insert(found.end(), files.begin(), files.end());
  }
  file.rule_files = std::move(found);
  for (TestGroup& test : file.tests)
    if (test.interval.count() <= 0) test.interval = file.evaluation_interval;
  check(root, file, compat, errors);
  for (TestGroup& test : file.tests) keep_last_of_each(test.series);
  return file;
}

}  // namespace rules
