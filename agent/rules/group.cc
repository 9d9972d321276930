#include "rules/group.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/alerting.h"
#include "rules/query.h"
#include "rules/recording.h"

namespace rules {
namespace {

constexpr base::Millis kPartialHold{60'000};

std::string over_limit(int limit, std::size_t have, const char* what) {
  return fmt::format("exceeded limit of {} with {} {}", limit, have, what);
}

// Identity of a rule over a reload: Prometheus' name and labels.
bool same_identity(const CompiledRule& a, const CompiledRule& b) {
  return a.alerting() == b.alerting() && a.name() == b.name() && a.fixed == b.fixed;
}

// As in Prometheus the rule is not well then, but its alerts are what they are.
std::string refused_text(const LiveRule& live) {
  return fmt::format("the store refused {} of {} samples of this rule; fettle_store_refused_total says why",
                     live.refused, live.series.size());
}

}  // namespace

Group::Group(CompiledGroupPtr compiled, EvaluationContext context) : compiled_(std::move(compiled)), context_(context) {
  rules_.resize(compiled_->rules.size());
  for (std::size_t i = 0; i < rules_.size(); ++i) rules_[i].rule = &compiled_->rules[i];
}

base::Millis Group::interval() const {
  const base::Millis own = compiled_->source.interval;
  return own.count() > 0 ? own : std::max(context_.options.evaluation_interval, base::Millis{1});
}

Evaluation Group::evaluate(base::WallTime at, const std::function<base::Instant()>& clock, const OnRule& on_rule) {
  Evaluation out;
  const std::int64_t t = base::to_ms(at - compiled_->source.query_offset);
  for (LiveRule& live : rules_) {
    const base::Instant started = clock();
    auto written = evaluate_rule(live, at, out);
    if (written) {
      std::unordered_set<model::Labels, model::LabelsHash> now(written->begin(), written->end());
      for (const model::Labels& before : live.series)
        if (!now.contains(before)) context_.append(before, {t, model::stale_marker()});
      live.series = std::move(now);
    }
    if (!live.matched) look_for_series(live, at);
    if (!written) live.refused = 0;
    live.error = !written ? written.error().text : live.refused > 0 ? refused_text(live) : "";
    live.evaluated = true;
    live.last_evaluation = at;
    live.took = clock() - started;
    if (on_rule) on_rule(live, live.took);
  }
  return out;
}

// Returns the series that were written.
base::Result<std::vector<model::Labels>> Group::evaluate_rule(LiveRule& live, base::WallTime at, Evaluation& out) {
  const CompiledRule& rule = *live.rule;
  const std::int64_t t = base::to_ms(at - compiled_->source.query_offset);
  const auto limit = static_cast<std::size_t>(std::max(compiled_->source.limit, 0));
  TRY(promql::Vector samples, query_vector(context_.engine, context_.data, *rule.expr, t));
  if (rule.alerting()) {
    const templates::TemplateContext context =
        template_context(context_.engine, context_.data, context_.options.engine.compat, context_.options.external_url,
                         base::to_ms(at));  // without the offset, as in Prometheus
    TRY(const std::vector<FoundAlert> found, found_alerts(rule, samples, context_.options.external_labels, context));
    for (const FoundAlert& one : found) std::erase(live.restored, one.labels);
    AlertChanges changes = live.alerts.evaluate(found, at, {rule.source.for_duration, rule.source.keep_firing_for},
                                                [&](const model::Alert& alert) { return held(live, alert, at); });
    const std::size_t active = live.alerts.active();
    const bool too_many = limit > 0 && active > limit;
    if (too_many) {
      AlertChanges cleared = live.alerts.clear(at);
      // Those that this evaluation made never happened; the older ones end.
      std::erase_if(cleared.transitions, [&](const model::AlertTransition& one) {
        return std::any_of(changes.transitions.begin(), changes.transitions.end(),
                           [&](const auto& made) { return made.alert.labels == one.alert.labels; });
      });
      cleared.touched.insert(cleared.touched.end(), changes.touched.begin(), changes.touched.end());
      changes = std::move(cleared);
    }
    if (!changes.touched.empty()) out.records.emplace_back(&live, changes.touched);
    auto& all = out.changes.transitions;
    all.insert(all.end(), changes.transitions.begin(), changes.transitions.end());
    if (too_many) return base::fail(base::Kind::limit, over_limit(compiled_->source.limit, active, "alerts"));
    samples = alert_series(live.alerts, t);
  } else {
    TRY(samples, recorded(rule, std::move(samples), t));
    if (limit > 0 && samples.size() > limit)
      return base::fail(base::Kind::limit, over_limit(compiled_->source.limit, samples.size(), "series"));
  }
  std::vector<model::Labels> written;
  written.reserve(samples.size());
  live.refused = 0;
  for (const promql::VectorSample& sample : samples) {
    if (!context_.append(sample.labels, sample.sample)) ++live.refused;
    written.push_back(sample.labels);
  }
  return written;
}

// Only until something is found: a rule that has matched once is spelt right.
void Group::look_for_series(LiveRule& live, base::WallTime at) const {
  const auto& needs = live.rule->needs;
  if (!live.first_evaluation) live.first_evaluation = at;
  live.matched = needs.empty() || !live.series.empty() ||
                 std::any_of(needs.begin(), needs.end(), [this](const promql::Needs& need) {
                   return !context_.data.select(need.matchers).empty();
                 });
}

void Group::adopt(Group& old) {
  std::vector<bool> taken(old.rules_.size(), false);
  for (LiveRule& mine : rules_) {
    for (std::size_t i = 0; i < old.rules_.size(); ++i) {
      LiveRule& theirs = old.rules_[i];
      if (taken[i] || !same_identity(*mine.rule, *theirs.rule)) continue;
      taken[i] = true;
      mine.alerts = std::exchange(theirs.alerts, {});
      mine.series = std::exchange(theirs.series, {});
      mine.restored = std::exchange(theirs.restored, {});
      break;
    }
  }
  data_since_ = old.data_since_;
  hold_until_ = old.hold_until_;
}

void Group::hold(base::WallTime since, base::WallTime until, const Manager::Gone& gone) {
  data_since_ = since;
  hold_until_ = until;
  for (LiveRule& live : rules_) {
    live.restored.clear();
    const auto& fixed = live.rule->fixed;
    const bool names_service =
        std::any_of(fixed.begin(), fixed.end(), [](const auto& label) { return label.first == "service"; });
    for (const auto& [labels, alert] : live.alerts.alerts())
      if (!gone || names_service || !gone(labels)) live.restored.push_back(labels);
  }
}

void Group::shift(base::Millis by) {
  data_since_ += by;
  hold_until_ += by;
  for (LiveRule& live : rules_) live.alerts.shift(by);
}

bool Group::reads(const std::vector<model::Labels>& series) const {
  return std::any_of(compiled_->rules.begin(), compiled_->rules.end(), [&](const CompiledRule& rule) {
    return std::any_of(series.begin(), series.end(), [&](const model::Labels& one) { return rule.reads(one); });
  });
}

// After a start the store is empty, and "not found" means "not measured yet" until a series of the same service and
// probe has a sample of this life. Without this every restart would resolve and raise every alert again.
bool Group::held(LiveRule& live, const model::Alert& alert, base::WallTime at) const {
  const auto mark = std::find(live.restored.begin(), live.restored.end(), alert.labels);
  if (mark == live.restored.end()) return false;
  const auto belongs = [&](const model::Labels& series) {
    for (const std::string_view name : {"service", "probe"})
      if (alert.labels.has(name) && series.has(name) && alert.labels.get(name) != series.get(name)) return false;
    return true;
  };
  const auto measured = [&](const promql::Needs& need) {
    for (const promql::SeriesRef& series : context_.data.select(need.matchers)) {
      model::Sample last;
      if (belongs(series.labels) && context_.data.last_at(series.id, base::to_ms(data_since_), base::to_ms(at), last) &&
          !model::is_stale(last.v))
        return true;
    }
    return false;
  };
  const auto& needs = live.rule->needs;
  const auto back = std::count_if(needs.begin(), needs.end(), measured);
  // A selector may never find anything (the right side of an `unless`): half the data are enough after a minute.
  const bool release =
      at >= hold_until_ || back == static_cast<long>(needs.size()) || (back > 0 && at >= data_since_ + kPartialHold);
  if (release) live.restored.erase(mark);
  return !release;
}

}  // namespace rules
