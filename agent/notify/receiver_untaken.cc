// What a receiver has not taken, for its fallback; and what it is told in the place of another.
#include <algorithm>

#include "notify/receiver.h"

namespace notify {

std::optional<base::WallTime> Receiver::untaken_since(const model::Incident& incident) const {
  if (by_incident()) return outbox_->failing_since(incident_lane(incident.id));
  std::optional<base::WallTime> out;
  for (const model::Alert& alert : incident.alerts)
    if (const auto since = untaken_since(alert)) out = std::min(out.value_or(*since), *since);
  return out;
}

std::optional<base::WallTime> Receiver::untaken_since(const model::Alert& alert) const {
  if (alert.state != model::AlertState::firing) return std::nullopt;
  std::optional<base::WallTime> out;
  for (const auto& [key, w] : groups_) {
    const auto found = w.group.alerts.find(alert.labels);
    if (found == w.group.alerts.end() || w.group.silenced.contains(alert.labels.hash())) continue;
    const auto since = outbox_ ? untaken_message(key, w.group, alert) : untaken_post(w.group, alert);
    if (!since) return std::nullopt;
    out = std::min(out.value_or(*since), *since);
  }
  return out;
}

std::optional<base::WallTime> Receiver::untaken_message(const std::string& key, const Group& group,
                                                        const model::Alert& alert) const {
  const auto told = group.told.find(kOne);
  if (told != group.told.end() && told->second.firing.contains(alert.labels.hash())) return std::nullopt;
  return outbox_->failing_since(key);
}

// What a target may have taken before a restart is untaken only since it fails.
std::optional<base::WallTime> Receiver::untaken_post(const Group& group, const model::Alert& alert) const {
  std::optional<base::WallTime> failing;
  for (const auto& one : feeds_) {
    const auto since = one->reach().failing_since();
    if (!since || one->took(alert.labels)) return std::nullopt;
    failing = std::max(failing.value_or(*since), *since);
  }
  const bool perhaps = std::any_of(group.told.begin(), group.told.end(),
                                   [&](const auto& one) { return one.second.firing.contains(alert.labels.hash()); });
  return perhaps ? failing : alert.fired_at.value_or(alert.active_at);
}

// As a page outside the routes: told at once and to its end, never again in between.
void Receiver::stand_in(const model::Alert& alert) {
  const model::Labels outward = common_.outward(alert);
  if (wants(outward)) return;  // it is told by its own routes
  Watched& w = watched(Routing::everything(), outward);
  const std::string key = group_name(w.group.route, w.group.labels);
  if (w.group.alerts.contains(alert.labels)) return;
  w.group.alerts.emplace(alert.labels, alert);
  strays_.insert(key);
  look(key, Cause::change);
}

}  // namespace notify
