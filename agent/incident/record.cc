#include "incident/record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/json.h"

namespace incident {
namespace {

using model::read_time;
using model::write_time;
using nlohmann::json;

base::WallTime time_at(const json& in, const char* key) { return base::wall_from_ms(in.at(key).get<std::int64_t>()); }

json cause_out(const model::IncidentCause& cause) {
  return {{"probe", cause.probe},     {"reason", cause.reason}, {"text", cause.text},
          {"address", cause.address}, {"death", cause.death},   {"status", cause.status}};
}

model::IncidentCause cause_in(const json& in) {
  return {in.at("probe"), in.at("reason"), in.at("text"), in.at("address"), in.at("death"), in.at("status")};
}

json note_out(const model::IncidentNote& note) {
  json out{{"at_ms", base::to_ms(note.at)}, {"text", note.text}};
  if (note.health) out[note.health->down ? "down" : "up"] = note.health->service;
  return out;
}

model::IncidentNote note_in(const json& in) {
  model::IncidentNote note{time_at(in, "at_ms"), in.at("text")};
  for (const char* key : {"down", "up"})
    if (in.contains(key)) note.health = {in.at(key), std::string_view{key} == "down"};
  return note;
}

}  // namespace

std::string to_json(const model::Incident& incident) {
  json alerts = json::array(), runs = json::array(), notes = json::array(), messages = json::array();
  for (const model::Alert& alert : incident.alerts) alerts.push_back(model::alert_record(alert));
  for (const model::RecoveryReport& run : incident.recoveries) runs.push_back(model::report_record(run));
  for (const model::IncidentNote& note : incident.notes) notes.push_back(note_out(note));
  for (const model::IncidentMessage& each : incident.messages)
    messages.push_back({{"id", each.id},
                        {"receiver", each.receiver},
                        {"kind", each.kind},
                        {"fate", each.fate},
                        {"at_ms", base::to_ms(each.at)}});
  json out{{"id", incident.id},
           {"service", incident.service},
           {"started_ms", base::to_ms(incident.started)},
           {"down", incident.down},
           {"last_down_ms", base::to_ms(incident.last_down)},
           {"end", model::to_string(incident.end)},
           {"cause", cause_out(incident.cause)},
           {"changed", incident.changed},
           {"dependents", incident.dependents},
           {"maintenance", incident.maintenance},
           {"drill", incident.drill},
           {"missed", incident.missed},
           {"alerts", std::move(alerts)},
           {"recoveries", std::move(runs)},
           {"demands", incident.demands},
           {"runs_gone", incident.runs_gone},
           {"demands_gone", incident.demands_gone},
           {"relapses", incident.relapses},
           {"notes", std::move(notes)},
           {"messages", std::move(messages)},
           {"why", incident.why},
           {"announced", incident.announced}};
  write_time(out, "calm_since_ms", incident.calm_since);
  write_time(out, "ended_ms", incident.ended);
  write_time(out, "hold_until_ms", incident.hold_until);
  write_time(out, "told_ms", incident.told);
  write_time(out, "detected_ms", incident.detected);
  write_time(out, "located_ms", incident.located);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);  // programs may write bytes that are no UTF-8
}

base::Result<model::Incident> parse_incident(const std::string& text) {
  try {
    const json in = json::parse(text);
    model::Incident incident;
    incident.id = in.at("id");
    incident.service = in.at("service");
    incident.started = time_at(in, "started_ms");
    incident.down = in.at("down");
    incident.last_down = time_at(in, "last_down_ms");
    const auto end = model::parse_incident_end(in.at("end").get_ref<const std::string&>());
    if (!end) return base::fail(base::Kind::invalid, "an incident cannot be read: its end is unknown");
    incident.end = *end;
    incident.cause = cause_in(in.at("cause"));
    incident.changed = in.value("changed", "");  // records of 0.1.0 before it have none
    incident.dependents = in.at("dependents").get<std::vector<std::string>>();
    incident.maintenance = in.at("maintenance");
    for (const json& each : in.at("alerts")) incident.alerts.push_back(model::read_alert_record(each));
    for (const json& each : in.at("recoveries")) incident.recoveries.push_back(model::read_report_record(each));
    incident.demands = in.at("demands").get<std::vector<std::string>>();
    for (const json& each : in.at("notes")) incident.notes.push_back(note_in(each));
    for (const json& each : in.at("messages"))
      incident.messages.push_back(
          {each.at("id"), each.at("receiver"), each.at("kind"), each.at("fate"), time_at(each, "at_ms")});
    incident.why = in.at("why");
    incident.announced = in.at("announced");
    incident.calm_since = read_time(in, "calm_since_ms");
    incident.ended = read_time(in, "ended_ms");
    incident.hold_until = read_time(in, "hold_until_ms");
    incident.told = read_time(in, "told_ms");
    incident.drill = in.value("drill", "");  // nor these
    incident.missed = in.value("missed", std::vector<std::string>{});
    incident.detected = read_time(in, "detected_ms");
    incident.located = read_time(in, "located_ms");
    incident.runs_gone = in.value("runs_gone", std::size_t{0});
    incident.demands_gone = in.value("demands_gone", std::size_t{0});
    incident.relapses = in.value("relapses", std::size_t{0});
    return incident;
  } catch (const json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("an incident cannot be read: {}", e.what()));
  }
}

}  // namespace incident
