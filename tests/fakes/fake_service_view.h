// What plans ask about the rest of the agent, answered by a test; probes run when they are asked for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/alert.h"
#include "recover/service_view.h"

namespace fakes {

struct FakeServiceView final : recover::ServiceView {
  model::Health service_health(const std::string& service) const override {
    const auto found = health.find(service);
    return found == health.end() ? model::Health::unknown : found->second;
  }
  model::Health latest(const std::string& service) const override {
    const auto found = last_runs.find(service);
    return found == last_runs.end() ? service_health(service) : found->second;
  }
  std::optional<base::Duration> service_uptime(const std::string&) const override { return uptime; }
  std::optional<model::NodeChange> changed(const std::string&) const override { return change; }
  std::vector<std::string> probe_now(const std::string& service) override {
    probed.push_back(service);
    return probes[service];
  }
  std::vector<model::Impairment> impairments() const override { return held; }

  std::map<std::string, model::Health> health, last_runs;
  std::map<std::string, std::vector<std::string>> probes;  // that answer when their service is probed
  std::optional<base::Duration> uptime;
  std::optional<model::NodeChange> change;
  std::vector<model::Impairment> held;
  std::vector<std::string> probed;
};

inline model::AlertTransition transition(const std::string& name, const std::string& service, base::WallTime at,
                                         model::AlertState to = model::AlertState::firing) {
  model::AlertTransition t;
  t.alert.labels = model::Labels{{"alertname", name}, {"service", service}};
  t.alert.annotations = model::Labels{{"summary", service + " is down"}};
  t.alert.state = to;
  t.alert.value = 1;
  t.alert.active_at = at;
  t.alert.fired_at = at;
  if (to == model::AlertState::inactive) t.alert.resolved_at = at;
  t.from = to == model::AlertState::firing ? model::AlertState::inactive : model::AlertState::firing;
  t.at = at;
  return t;
}

}  // namespace fakes
