#include "recover/firing_alerts.h"

#include <algorithm>
#include <string_view>

namespace recover {

bool is_for(const PlanSpec& spec, const model::Alert& alert) {
  if (alert.service() != spec.service || spec.when.empty()) return false;
  return std::all_of(spec.when.begin(), spec.when.end(), [&](const auto& want) {
    return alert.labels.get(want.first == "alert" ? "alertname" : std::string_view(want.first)) == want.second;
  });
}

bool FiringAlerts::note(const model::Alert& alert) {
  if (alert.state != model::AlertState::firing) return all_.erase(alert.labels) > 0;
  all_.insert_or_assign(alert.labels, alert);
  return true;
}

const model::Alert* FiringAlerts::of(const PlanSpec& spec) const {
  for (const auto& [labels, alert] : all_)
    if (is_for(spec, alert)) return &alert;
  return nullptr;
}

}  // namespace recover
