#include "rules/tools/case_trace.h"

#include <fmt/format.h>

#include "base/terminal.h"
#include "rules/tools/case_difference.h"

namespace rules {
namespace {

std::string value_text(double v) { return model::is_stale(v) ? "stale" : promql::format_value(v); }

}  // namespace

std::string TestTrace::since_start(std::int64_t t) const { return base::format_duration(base::Millis{t - start_ms_}); }

void TestTrace::started(const std::string& test) const {
  if (out_) base::print(out_, "DEBUG: Starting test {}\n", test);
}

void TestTrace::changed(const Evaluation& evaluation) const {
  if (!out_) return;
  for (const model::AlertTransition& one : evaluation.changes.transitions)
    base::print(out_, "DEBUG: {}: {} {} -> {}\n", since_start(base::to_ms(one.at)), braces(one.alert.labels),
                model::to_string(one.from), model::to_string(one.alert.state));
}

void TestTrace::rules(std::int64_t t, const Group& group, const promql::MemoryQueryable& data) const {
  if (!out_) return;
  base::print(out_, "DEBUG: {}: group {}\n", since_start(t), group.source().name);
  for (const LiveRule& live : group.rules()) {
    base::print(out_, "DEBUG:   {} {}: {}\n", live.rule->alerting() ? "alert" : "record", live.rule->name(),
                live.rule->query);
    for (const auto& [labels, alert] : live.alerts.alerts())
      if (alert.state != model::AlertState::inactive)
        base::print(out_, "DEBUG:     {} {} since {}, value {}\n", braces(labels), model::to_string(alert.state),
                    since_start(base::to_ms(alert.active_at)), value_text(alert.value));
    if (live.rule->alerting()) continue;
    for (const promql::SeriesRef& series : data.select({model::Matcher::equal(model::kMetricName, live.rule->name())}))
      if (model::Sample last; live.series.contains(series.labels) && data.last_at(series.id, t, t, last))
        base::print(out_, "DEBUG:     {} {}\n", series.labels.to_string(), value_text(last.v));
  }
}

void TestTrace::expression(const std::string& expr, std::int64_t t, const promql::Vector& result) const {
  if (!out_) return;
  base::print(out_, "DEBUG: {}: expr {}\n", since_start(t), expr);
  for (const promql::VectorSample& one : result)
    base::print(out_, "DEBUG:     {} {}\n", one.labels.to_string(), value_text(one.sample.v));
}

void TestTrace::ended(const std::string& test, std::int64_t t, const promql::MemoryQueryable& data) const {
  if (!out_) return;
  base::print(out_, "DEBUG: Dump of all data (input_series and rules) at {}:\n", since_start(t));
  for (const auto& entry : data.entries()) {
    std::string values;
    for (const model::Sample& sample : entry.samples)
      values += fmt::format(" {}@{}", value_text(sample.v), since_start(sample.t));
    base::print(out_, "{}{}\n", entry.labels.to_string(), values);
  }
  base::print(out_, "DEBUG: Test {} finished\n", test);
}

}  // namespace rules
