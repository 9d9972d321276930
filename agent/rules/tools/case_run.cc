#include "rules/tools/case_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "go/format.h"
#include "model/matcher.h"
#include "rules/query.h"

namespace rules {
namespace {

// promtool's bound on the samples of one query in a test.
constexpr std::size_t kMaxSamples = 10'000;

Options options_for(const TestFile& file, const TestGroup& test, promql::Compat compat) {
  Options options;
  options.engine.compat = compat;
  options.engine.default_step_ms = file.evaluation_interval.count();
  options.engine.max_samples = kMaxSamples;
  options.evaluation_interval = test.interval;
  options.external_labels = test.external_labels;
  options.external_url = test.external_url;
  return options;
}

// An alert of this name that is on its way: why an expected one does not fire yet.
std::string pending_text(const LiveRule& live, const model::Labels& labels, const model::Alert& alert,
                         base::WallTime at) {
  return fmt::format("      ({} is pending for {}; it fires after {})\n", braces(labels),
                     base::format_duration(at - alert.active_at),
                     base::format_duration(live.rule->source.for_duration));
}

}  // namespace

TestRun::TestRun(const TestFile& file, const TestGroup& test, std::vector<config::RuleGroup> groups,
                 const TestRunOptions& options)
    : file_(file),
      test_(test),
      options_(options_for(file, test, options.compat)),
      name_(options.name),
      trace_(options.debug, test.start_ms),
      engine_(options_.engine) {
  append_ = [this](const model::Labels& labels, model::Sample sample) {
    data_.append(labels, sample);
    return true;
  };
  loaded_.resize(test.series.size());
  config::Errors errors;  // the caller compiled the same groups before and reported their mistakes
  const auto order = [&](const std::string& name) {
    const auto at = std::find(file.group_eval_order.begin(), file.group_eval_order.end(), name);
    return at == file.group_eval_order.end() ? 0 : at - file.group_eval_order.begin();
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const auto& a, const auto& b) { return order(a.name) < order(b.name); });
  for (CompiledGroupPtr& group : compile(std::move(groups), options.compat, errors))
    groups_.push_back(std::make_unique<Group>(std::move(group), EvaluationContext{options_, engine_, data_, append_}));
}
TestRun::~TestRun() = default;

std::vector<std::string> TestRun::run() {
  const std::int64_t last = test_.start_ms + test_.last_eval_time().count();
  const std::int64_t step = file_.evaluation_interval.count();
  if (!without_histograms()) return std::move(failures_);
  trace_.started(name_);
  for (std::int64_t t = test_.start_ms; t <= last; t += step) {
    load_until(t);
    if (!evaluate(t)) return std::move(failures_);
    if (looked_at(t, t + step))
      for (const auto& group : groups_) trace_.rules(t, *group, data_);
    check_alerts(t, t + step);
  }
  load_until(last);
  for (const ExpressionTest& test : test_.expressions) check_expression(test);
  trace_.ended(name_, last, data_);
  return std::move(failures_);
}

// "" if none of the series has native histograms.
std::string TestRun::native_among(const std::vector<promql::Needs>& needs) const {
  for (const InputSeries& series : test_.series)
    for (const promql::Needs& one : needs)
      if (series.native && model::matches_all(one.matchers, series.labels)) return series.labels.to_string();
  return "";
}

bool TestRun::without_histograms() {
  const auto text = [](const std::string& series) {
    return fmt::format("err: it reads {}, which has native histograms; they are not supported here\n", series);
  };
  for (const auto& group : groups_)
    for (const LiveRule& live : group->rules())
      if (const std::string native = native_among(live.rule->needs); !native.empty())
        report(fmt::format("    rule: {}, {}", live.rule->name(), text(native)));
  for (const ExpressionTest& test : test_.expressions) {
    const promql::Parsed parsed = promql::parse(test.expr, options_.engine.compat);
    const std::string native = parsed.ok() ? native_among(promql::needs(*parsed.expr)) : "";
    if (!native.empty())
      report(fmt::format("    expr: {}, time: {}, {}", go::quote(test.expr), base::format_duration(test.eval_time),
                         text(native)));
  }
  return failures_.empty();
}

// Rules never see samples of the test's future.
void TestRun::load_until(std::int64_t t) {
  for (std::size_t s = 0; s < test_.series.size(); ++s) {
    const InputSeries& series = test_.series[s];
    for (std::size_t& i = loaded_[s]; i < series.values.size(); ++i) {
      const std::int64_t at = test_.start_ms + static_cast<std::int64_t>(i) * test_.interval.count();
      if (at > t) break;
      if (series.values[i]) data_.append(series.labels, {at, *series.values[i]});
    }
  }
}

bool TestRun::evaluate(std::int64_t t) {
  bool good = true;
  for (auto& group : groups_) {
    const Evaluation evaluation = group->evaluate(
        base::wall_from_ms(t), [] { return base::Instant{}; },
        [&](const LiveRule& live, base::Duration) {
          if (live.error.empty()) return;
          good = false;
          report(fmt::format("    rule: {}, time: {}, err: {}\n", live.rule->name(),
                             base::format_duration(base::Millis{t - test_.start_ms}), live.error));
        });
    trace_.changed(evaluation);
  }
  return good;
}

bool TestRun::looked_at(std::int64_t from, std::int64_t until) const {
  return std::any_of(test_.alerts.begin(), test_.alerts.end(), [&](const AlertTest& test) {
    const std::int64_t at = test_.start_ms + test.eval_time.count();
    return at >= from && at < until;
  });
}

// An alert test looks at the evaluation at or before its time.
void TestRun::check_alerts(std::int64_t from, std::int64_t until) {
  for (const AlertTest& test : test_.alerts) {
    const std::int64_t at = test_.start_ms + test.eval_time.count();
    if (at >= from && at < until) check_alert(test);
  }
}

void TestRun::check_alert(const AlertTest& test) {
  std::vector<TestItem> expected, found;
  std::string pending;
  for (const ExpectedAlert& alert : test.expected)
    expected.push_back({alert.labels.with("alertname", test.alertname), alert.annotations, std::nullopt});
  for (const auto& group : groups_)
    for (const LiveRule& live : group->rules()) {
      if (!live.rule->alerting() || live.rule->name() != test.alertname) continue;
      for (const auto& [labels, alert] : live.alerts.alerts()) {
        if (alert.state == model::AlertState::firing) found.push_back({labels, alert.annotations, std::nullopt});
        if (alert.state == model::AlertState::pending)
          pending += pending_text(live, labels, alert, live.last_evaluation);
      }
    }
  const bool fewer = found.size() < expected.size();
  const std::string differs = difference(
      std::move(expected), std::move(found),
      [](const TestItem& a, const TestItem& b) { return a.labels == b.labels && a.annotations == b.annotations; });
  if (differs.empty()) return;
  report(fmt::format("    alertname: {}, time: {},\n{}{}", test.alertname, base::format_duration(test.eval_time),
                     differs, fewer ? pending : ""));
}

// NaN is no number's equal, as in promtool.
bool TestRun::same(double a, double b) const {
  if (a == b) return true;
  return file_.fuzzy_compare && (std::nextafter(a, HUGE_VAL) == b || std::nextafter(a, -HUGE_VAL) == b);
}

void TestRun::check_expression(const ExpressionTest& test) {
  const std::string head =
      fmt::format("    expr: {}, time: {}", go::quote(test.expr), base::format_duration(test.eval_time));
  const promql::Parsed parsed = promql::parse(test.expr, options_.engine.compat);
  if (!parsed.ok()) return report(fmt::format("{}, err: {}\n", head, parsed.error_text()));
  auto result = query_vector(engine_, data_, *parsed.expr, test_.start_ms + test.eval_time.count());
  if (!result) return report(fmt::format("{}, err: {}\n", head, result.error().text));
  trace_.expression(test.expr, test_.start_ms + test.eval_time.count(), *result);
  std::vector<TestItem> expected, found;
  for (const ExpectedSample& one : test.expected) expected.push_back({one.labels, {}, one.value});
  for (const promql::VectorSample& one : *result) found.push_back({one.labels, {}, one.sample.v});
  const auto by_labels = [](const TestItem& a, const TestItem& b) { return a.labels < b.labels; };
  std::stable_sort(expected.begin(), expected.end(), by_labels);
  std::stable_sort(found.begin(), found.end(), by_labels);
  const std::string differs = difference(
      std::move(expected), std::move(found),
      [this](const TestItem& a, const TestItem& b) { return a.labels == b.labels && same(*a.value, *b.value); });
  if (differs.empty()) return;
  const bool nan = std::any_of(test.expected.begin(), test.expected.end(),
                               [](const ExpectedSample& one) { return std::isnan(one.value); });
  report(fmt::format("{},\n{}{}", head, differs,
                     nan ? "      (NaN equals nothing, here as in promtool; test the expression against itself: "
                           "x != bool x is 1 where x is NaN)\n"
                         : ""));
}

void TestRun::report(std::string text) {
  if (!test_.name.empty()) text.insert(0, fmt::format("    name: {},\n", test_.name));
  failures_.push_back(std::move(text));
}

}  // namespace rules
