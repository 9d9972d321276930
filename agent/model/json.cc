#include "model/json.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "model/annotations.h"

namespace model {
namespace {

using nlohmann::json;

// As read_labels(), but what is empty stays.
Labels read_annotations(const json& object) {
  std::vector<Label> texts;
  for (const auto& [name, value] : object.items())
    texts.push_back({name, kept_text(value.get_ref<const std::string&>())});
  return Labels(std::move(texts));
}

AlertState state_in(const json& record) {
  // Rules wrote the state, receivers whether it fires, and an alert that asked for a recovery always did.
  if (const auto state = record.find("state"); state != record.end()) {
    return parse_alert_state(state->get_ref<const std::string&>()).value_or(AlertState::inactive);
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
  write_time(out, "fired_at_ms", alert.fired_at);
  write_time(out, "resolved_at_ms", alert.resolved_at);
  write_time(out, "keep_firing_since_ms", alert.keep_firing_since);
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
  if (const auto found = record.find("annotations"); found != record.end())
    alert.annotations = read_annotations(*found);
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

json report_record(const RecoveryReport& report) {
  json actions = json::array();
  for (const ActionReport& a : report.actions)
    actions.push_back({{"action", a.action},
                       {"result", to_string(a.result)},
                       {"text", a.text},
                       {"started_ms", base::to_ms(a.started)},
                       {"took_us", std::chrono::duration_cast<std::chrono::microseconds>(a.took).count()},
                       {"may_heal", a.may_heal}});
  json out{{"id", report.id},
           {"service", report.service},
           {"trigger", report.trigger},
           {"mode", to_string(report.mode)},
           {"state", to_string(report.state)},
           {"reason", report.reason},
           {"attempt", report.attempt},
           {"actions", std::move(actions)},
           {"started_ms", base::to_ms(report.started)}};
  write_time(out, "ended_ms", report.ended);
  return out;
}

RecoveryReport read_report_record(const json& record) {
  RecoveryReport report;
  report.id = record.at("id");
  report.service = record.at("service");
  report.trigger = record.at("trigger");
  report.mode = read_word(record, "mode", parse_recovery_mode);
  report.state = read_word(record, "state", parse_recovery_state);
  report.reason = record.at("reason");
  report.attempt = record.at("attempt");
  for (const json& a : record.at("actions"))
    report.actions.push_back({a.at("action"), read_word(a, "result", parse_action_status), a.at("text"),
                              base::wall_from_ms(a.at("started_ms").get<std::int64_t>()),
                              std::chrono::microseconds(a.at("took_us").get<std::int64_t>()),
                              a.value("may_heal", false)});
  report.started = base::wall_from_ms(record.at("started_ms").get<std::int64_t>());
  report.ended = read_time(record, "ended_ms");
  return report;
}

}  // namespace model
