#include "notify/dedup.h"

#include <algorithm>

namespace notify {

std::int64_t start_ms(const model::Alert& alert) { return base::to_ms(alert.fired_at.value_or(alert.active_at)); }

void Notified::forget(std::uint64_t alert) {
  firing.erase(alert);
  resolved.erase(alert);
  starts.erase(alert);
}

bool Notified::told_start_of(const model::Alert& alert) const {
  const auto start = starts.find(alert.labels.hash());
  return start == starts.end() || start->second == start_ms(alert);
}

model::Alert Notified::as_told(model::Alert alert) const {
  if (alert.state != model::AlertState::firing && !told_start_of(alert))
    alert.fired_at = base::wall_from_ms(starts.at(alert.labels.hash()));
  return alert;
}

Notified said(const std::vector<model::Alert>& alerts) {
  Notified out;
  for (const model::Alert& alert : alerts) {
    (alert.state == model::AlertState::firing ? out.firing : out.resolved).insert(alert.labels.hash());
    out.starts[alert.labels.hash()] = start_ms(alert);
  }
  return out;
}

Verdict decide(const std::vector<model::Alert>& alerts, const Notified& last, Cause cause, SendResolved send_resolved) {
  const Notified now = said(alerts);
  if (last.empty()) return now.firing.empty() ? Verdict::nothing_fires : Verdict::first;
  const bool new_firing = std::any_of(alerts.begin(), alerts.end(), [&](const model::Alert& alert) {
    return alert.state == model::AlertState::firing &&
           (!last.firing.contains(alert.labels.hash()) || !last.told_start_of(alert));
  });
  if (new_firing) return Verdict::new_firing;
  const bool newly_resolved = std::any_of(now.resolved.begin(), now.resolved.end(),
                                          [&](std::uint64_t alert) { return last.firing.count(alert) != 0; });
  if (newly_resolved && send_resolved == SendResolved::yes)
    return now.firing.empty() ? Verdict::all_resolved : Verdict::some_resolved;
  if (cause == Cause::recovery_ended) return Verdict::recovery_ended;
  if (cause == Cause::repeat && !now.firing.empty()) return Verdict::repeated;
  return newly_resolved ? Verdict::resolved_unwanted : Verdict::unchanged;
}

bool sends(Verdict verdict) { return verdict < Verdict::nothing_fires; }

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::first: return "first";
    case Verdict::new_firing: return "new_firing";
    case Verdict::all_resolved: return "all_resolved";
    case Verdict::some_resolved: return "some_resolved";
    case Verdict::recovery_ended: return "recovery_ended";
    case Verdict::repeated: return "repeated";
    case Verdict::nothing_fires: return "nothing_fires";
    case Verdict::resolved_unwanted: return "resolved_unwanted";
    case Verdict::unchanged: return "unchanged";
    case Verdict::silenced: return "silenced";
  }
  return "unchanged";
}

}  // namespace notify
