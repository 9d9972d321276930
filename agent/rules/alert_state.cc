#include "rules/alert_state.h"

#include <set>

namespace rules {
namespace {

using model::AlertState::firing;
using model::AlertState::inactive;
using model::AlertState::pending;

void say(const model::Alert& alert, model::AlertState from, base::WallTime at, AlertChanges& changes) {
  changes.touched.push_back(alert.labels);
  if (alert.state != from) changes.transitions.push_back({alert, from, at});
}

void resolve(model::Alert& alert, base::WallTime at) {
  if (alert.state == firing) alert.resolved_at = at;
  alert.state = inactive;
  alert.keep_firing_since.reset();
}

}  // namespace

AlertChanges AlertState::evaluate(const std::vector<FoundAlert>& found, base::WallTime at, AlertTiming timing,
                                  const Hold& hold) {
  std::map<model::Labels, model::AlertState> before;
  for (const FoundAlert& one : found) {
    const auto [it, fresh] = alerts_.try_emplace(one.labels);
    model::Alert& alert = it->second;
    before.emplace(one.labels, fresh ? inactive : alert.state);
    if (fresh || alert.state == inactive) {
      alert = {};
      alert.labels = one.labels;
      alert.state = pending;
      alert.active_at = at;
    }
    alert.value = one.value;
    alert.annotations = one.annotations;
  }

  AlertChanges changes;
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    model::Alert& alert = it->second;
    const auto seen = before.find(it->first);
    if (seen != before.end()) {
      const bool kept = alert.keep_firing_since.has_value();
      alert.keep_firing_since.reset();
      if (alert.state == pending && at - alert.active_at >= timing.for_duration) {
        alert.state = firing;
        alert.fired_at = at;
      }
      if (kept || alert.state != seen->second) say(alert, seen->second, at, changes);
    } else if (alert.state == inactive) {
      if (alert.resolved_at && at - *alert.resolved_at > kResolvedRetention) {
        changes.touched.push_back(it->first);
        it = alerts_.erase(it);
        continue;
      }
    } else if (!hold || !hold(alert)) {
      const bool was_pending = alert.state == pending;
      lost(alert, at, timing, changes);
      if (was_pending) {
        it = alerts_.erase(it);
        continue;
      }
    }
    ++it;
  }
  return changes;
}

// The expression no longer finds this alert.
void AlertState::lost(model::Alert& alert, base::WallTime at, AlertTiming timing, AlertChanges& changes) {
  const model::AlertState from = alert.state;
  if (alert.state == firing && timing.keep_firing_for.count() > 0) {
    const bool fresh = !alert.keep_firing_since;
    if (fresh) alert.keep_firing_since = at;
    if (at - *alert.keep_firing_since < timing.keep_firing_for) {
      if (fresh) say(alert, from, at, changes);
      return;
    }
  }
  resolve(alert, at);
  say(alert, from, at, changes);
}

AlertChanges AlertState::clear(base::WallTime at) {
  AlertChanges changes;
  for (auto& [labels, alert] : alerts_) {
    const model::AlertState from = alert.state;
    resolve(alert, at);
    say(alert, from, at, changes);
  }
  alerts_.clear();
  return changes;
}

void AlertState::restore(model::Alert alert) {
  model::Labels labels = alert.labels;
  alerts_.try_emplace(std::move(labels), std::move(alert));
}

void AlertState::shift(base::Millis by) {
  for (auto& [labels, alert] : alerts_) {
    alert.active_at += by;
    for (auto* instant : {&alert.fired_at, &alert.resolved_at, &alert.keep_firing_since})
      if (*instant) **instant += by;
  }
}

std::size_t AlertState::active() const {
  std::size_t n = 0;
  for (const auto& [labels, alert] : alerts_) n += alert.state != inactive;
  return n;
}

}  // namespace rules
