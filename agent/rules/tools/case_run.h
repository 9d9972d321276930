// One test of a unit-test file: its data, its groups of rules, evaluated step by step; and what came out differently.
#pragma once

#include <string>
#include <vector>

#include "config/rule_file.h"
#include "promql/engine.h"
#include "rules/group.h"
#include "rules/tools/case_difference.h"
#include "rules/tools/case_file.h"
#include "rules/tools/case_trace.h"

namespace rules {

struct TestRunOptions {
  promql::Compat compat = promql::Compat::v3;
  std::FILE* debug = nullptr;  // where the trace goes; null: nowhere
  std::string name;            // in the trace
};

class TestRun {
 public:
  // `groups` are the parsed rule files; they are compiled anew, since a run changes their state.
  TestRun(const TestFile& file, const TestGroup& test, std::vector<config::RuleGroup> groups,
          const TestRunOptions& options);
  ~TestRun();
  TestRun(const TestRun&) = delete;

  // Texts for a person; empty if the test passed.
  std::vector<std::string> run();

 private:
  void load_until(std::int64_t t);
  // Reports what reads a series with native histograms; false if something does.
  bool without_histograms();
  std::string native_among(const std::vector<promql::Needs>& needs) const;
  bool evaluate(std::int64_t t);                                // false: a rule failed, and the test ends
  bool looked_at(std::int64_t from, std::int64_t until) const;  // by a test of an alert
  void check_alerts(std::int64_t from, std::int64_t until);
  void check_alert(const AlertTest& test);
  void check_expression(const ExpressionTest& test);
  void report(std::string text);
  bool same(double a, double b) const;

  const TestFile& file_;
  const TestGroup& test_;
  Options options_;
  std::string name_;
  TestTrace trace_;
  promql::MemoryQueryable data_;
  promql::Engine engine_;
  std::function<bool(const model::Labels&, model::Sample)> append_;
  std::vector<std::size_t> loaded_;  // per series: values that are in data_
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<std::string> failures_;
};

}  // namespace rules
