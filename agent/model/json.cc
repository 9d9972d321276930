#include "model/json.h"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace model {
namespace {

using nlohmann::json;

AlertState state_in(const json& record) {
  // Rules wrote the state, receivers whether it fires, and an alert that asked for a recovery always did.
  if (const auto state = record.find("state"); state != record.end()) {
    const auto& name = state->get_ref<const std::string&>();
    for (const AlertState known : {AlertState::pending, AlertState::firing})
      if (name == to_string(known)) return known;
    return AlertState::inactive;
  }
  return record.value("firing", true) ? AlertState::firing : AlertState::inactive;
}

}  // namespace

json alert_record(const Alert& alert) {
  json out{{"labels", label_object(alert.labels)},
           {"annotations", label_object(alert.annotations)},
           {"state", to_string(alert.state)},
           {"value", fmt::format("{}", alert.value)},  // JSON has no NaN
           {"active_at_ms", base::to_ms(alert.active_at)}};
  const auto put = [&](const char* key, const std::optional<base::WallTime>& t) {
    if (t) out[key] = base::to_ms(*t);
  };
  put("fired_at_ms", alert.fired_at);
  put("resolved_at_ms", alert.resolved_at);
  put("keep_firing_since_ms", alert.keep_firing_since);
  if (!alert.generator_url.empty()) out["generator_url"] = alert.generator_url;
  return out;
}

Alert read_alert_record(const json& record) {
  // Rules wrote active_at for what is active_at_ms now, and so on.
  const auto time = [&](const std::string& key) {
    const auto named = read_time(record, (key + "_ms").c_str());
    return named ? named : read_time(record, key.c_str());
  };
  Alert alert;
  alert.labels = read_labels(record.at("labels"));
  if (const auto found = record.find("annotations"); found != record.end()) alert.annotations = read_labels(*found);
  alert.state = state_in(record);
  alert.value = std::strtod(record.value("value", "0").c_str(), nullptr);
  const auto active = time("active_at");
  alert.active_at = active ? *active : base::wall_from_ms(record.at("active_at_ms").get<std::int64_t>());
  alert.fired_at = time("fired_at");
  alert.resolved_at = time("resolved_at");
  alert.keep_firing_since = time("keep_firing_since");
  alert.generator_url = record.value("generator_url", "");
  return alert;
}

}  // namespace model
