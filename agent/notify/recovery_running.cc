#include "notify/recovery_running.h"

#include <algorithm>
#include <utility>

namespace notify {
namespace {

bool is_held(const model::Incident& incident, base::WallTime now) {
  return incident.is_open() && !incident.told && !incident.calm_since && incident.hold_until &&
         *incident.hold_until > now;
}

}  // namespace

std::map<model::Labels, model::Alert> recoveries_running(const std::map<std::string, model::Incident>& incidents,
                                                         const model::Labels& own, base::WallTime now) {
  std::map<model::Labels, model::Alert> out;
  const auto add = [&](const std::string& service, const model::Incident& incident) {
    model::Alert alert;
    alert.labels = own.merged({{"alertname", kRecoveryRunning}, {"service", service}, {"severity", "none"}});
    alert.annotations = {{"summary", "fettle may still mend " + incident.service}, {"description", incident.why}};
    alert.state = model::AlertState::firing;
    alert.value = 1;
    alert.active_at = incident.started;
    alert.fired_at = incident.started;
    alert.resolved_at = incident.hold_until;
    const auto [known, fresh] = out.try_emplace(alert.labels, alert);
    if (!fresh && *known->second.resolved_at < *alert.resolved_at) known->second = std::move(alert);
  };
  for (const auto& [id, incident] : incidents) {
    if (!is_held(incident, now)) continue;
    add(incident.service, incident);
    for (const std::string& dependent : incident.dependents) add(dependent, incident);
  }
  return out;
}

}  // namespace notify
