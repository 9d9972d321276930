// A file of unit tests for rules, in promtool's format, as plain structs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "config/node.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/parser.h"

namespace rules {

struct InputSeries {
  model::Labels labels;
  std::vector<std::optional<double>> values;
  bool native = false;  // has native histograms, which nothing may read
};
struct ExpectedAlert {
  model::Labels labels;  // without alertname
  model::Labels annotations;
};
struct AlertTest {
  base::Millis eval_time{0};
  std::string alertname;
  std::vector<ExpectedAlert> expected;
};
struct ExpectedSample {
  model::Labels labels;
  double value = 0;
};
struct ExpressionTest {
  std::string expr;
  base::Millis eval_time{0};
  std::vector<ExpectedSample> expected;
};
struct TestGroup {
  std::string name;
  base::Millis interval{};  // 0: the file's evaluation_interval, while it is read
  std::int64_t start_ms = 0;
  std::vector<InputSeries> series;
  std::vector<AlertTest> alerts;
  std::vector<ExpressionTest> expressions;
  model::Labels external_labels;
  std::string external_url;

  base::Millis last_eval_time() const;
};
struct TestFile {
  std::vector<std::string> rule_files;  // resolved: existing files, relative to the test file
  base::Millis evaluation_interval{60'000};
  std::vector<std::string> group_eval_order;
  bool fuzzy_compare = false;
  std::vector<TestGroup> tests;
};

// As promtool of that Prometheus reads it. A pattern of rule_files that no file matches is a warning.
TestFile load_test_file(const std::string& path, promql::Compat compat, config::Errors& errors);

}  // namespace rules
