#include "app/service_health_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace app {
namespace {

std::optional<base::WallTime> start_time_in(const model::Outcome& outcome) {
  for (const model::Measurement& m : outcome.measurements)
    if (m.name == "probe_process_start_time_seconds" || m.name == "probe_systemd_unit_start_time_seconds" ||
        m.name == "probe_container_start_time_seconds")
      return base::wall_from_ms(static_cast<std::int64_t>(m.value * 1e3));
  return std::nullopt;
}

}  // namespace

void ServiceHealthTable::keep_only(const Services& services, base::WallTime now) {
  std::map<std::string, ServiceHealth> kept;
  for (const auto& [name, service] : services)
    if (const auto known = services_.find(name); known != services_.end()) kept.insert(*known);
    else kept.emplace(name, ServiceHealth{model::Health::unknown, now, model::Reason::none, "no probe has run yet"});
  services_ = std::move(kept);
  std::erase_if(started_, [&](const auto& entry) { return !services_.contains(entry.first.first); });
  std::erase_if(failing_since_, [&](const auto& entry) { return !services_.contains(entry.first.first); });
}

void ServiceHealthTable::forget(const std::string& service, base::WallTime now) {
  const auto known = services_.find(service);
  if (known == services_.end() || known->second.health == model::Health::unknown) return;
  known->second = {model::Health::unknown, now, model::Reason::none, "it has no probe any more"};
  std::erase_if(failing_since_, [&](const auto& entry) { return entry.first.first == service; });
}

std::optional<model::HealthChange> ServiceHealthTable::update(const probe::Run& run, model::Health health,
                                                              base::Instant now, base::WallTime wall_now) {
  const std::string& service = run.spec->service;
  const std::pair key{service, run.spec->name};
  if (run.outcome.up) failing_since_.erase(key);
  else failing_since_.try_emplace(key, now - run.outcome.took);
  ServiceHealth& known = services_[service];
  if (health == known.health) return std::nullopt;
  model::HealthChange change{service, "", known.health, health, model::Reason::none, "", wall_now};
  if (health == model::Health::down) {
    change.reason = run.outcome.reason;
    change.text = fmt::format("{}: {}", run.spec->name, run.outcome.text);
  }
  known = {health, wall_now, change.reason, change.text};
  return change;
}

std::optional<base::WallTime> ServiceHealthTable::new_start(const probe::Run& run) {
  const auto started = start_time_in(run.outcome);
  if (!started) return std::nullopt;
  base::WallTime& known = started_[{run.spec->service, run.spec->name}];
  return std::exchange(known, *started) == *started ? std::nullopt : started;
}

base::Duration ServiceHealthTable::detection_latency(const probe::Run& run, base::Instant now) const {
  if (run.event) return now - run.event->noticed;
  const auto since = failing_since_.find({run.spec->service, run.spec->name});
  return since == failing_since_.end() ? base::Duration{0} : now - since->second;
}

base::WallTime ServiceHealthTable::first_failure(const std::string& service, base::Instant now,
                                                 base::WallTime wall_now) const {
  base::Instant first = now;
  for (const auto& [key, since] : failing_since_)
    if (key.first == service) first = std::min(first, since);
  return wall_now - std::chrono::duration_cast<base::Millis>(now - first);
}

model::Health ServiceHealthTable::health(const std::string& service) const {
  const auto found = services_.find(service);
  return found == services_.end() ? model::Health::unknown : found->second.health;
}

std::optional<base::Duration> ServiceHealthTable::uptime(const std::string& service, base::WallTime now) const {
  std::optional<base::WallTime> latest;
  for (auto at = started_.lower_bound({service, ""}); at != started_.end() && at->first.first == service; ++at)
    latest = std::max(latest.value_or(at->second), at->second);
  if (!latest) return std::nullopt;
  // Starts are told by a time of boot that follows the clock in steps: a process that just began may seem to come from
  // the future.
  return std::max<base::Duration>(now - *latest, {});
}

}  // namespace app
