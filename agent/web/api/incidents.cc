// What went wrong here, one story for each fault.
#include <fmt/format.h>

#include <algorithm>

#include "model/counterfactual.h"
#include "web/api/answer.h"
#include "web/explain.h"
#include "web/routes.h"

namespace web {
namespace {

constexpr std::string_view kOwnService = "fettle";  // of the agent's own alerts

void write_cause(const model::IncidentCause& cause, encoding::Json& json) {
  json.object([&] {
    json.key("probe").string(cause.probe);
    json.key("reason").string(cause.reason);
    json.key("text").string(cause.text);
    json.key("address").string(cause.address);
    json.key("death").string(cause.death);
    json.key("status");
    if (cause.status == 0) json.null();
    else json.integer(cause.status);
  });
}

void write_messages(const model::Incident& incident, encoding::Json& json) {
  json.key("notifications").array([&] {
    for (const model::IncidentMessage& message : incident.messages)
      json.object([&] {
        json.key("id").string(message.id);
        json.key("receiver").string(message.receiver);
        json.key("kind").string(message.kind);
        json.key("fate").string(message.fate);
        json.key("at").time(message.at);
      });
  });
}

void write_evidence(const model::Evidence& evidence, encoding::Json& json) {
  json.object([&] {
    json.key("service").string(evidence.service);
    json.key("recovery").string(evidence.recovery);
    json.key("at").time(evidence.at);
    json.key("took").number(base::seconds(evidence.took));
    json.key("kind").string(model::to_string(evidence.fault.kind));
    json.key("headline").string(evidence.headline());
    json.key("sections").array([&] {
      for (const model::EvidenceSection& section : evidence.sections)
        json.object([&] {
          json.key("name").string(section.name);
          json.key("lines").array([&] {
            for (const std::string& line : section.lines) json.string(line);
          });
          json.key("missing").string(section.missing);
        });
    });
  });
}

const model::Incident* find_incident(const std::string& id, const Snapshot& snapshot) {
  const auto found = std::find_if(snapshot.incidents.begin(), snapshot.incidents.end(),
                                  [&](const auto& incident) { return incident->id == id; });
  return found == snapshot.incidents.end() ? nullptr : found->get();
}

Response no_incident(const std::string& id) {
  return api_error(ErrorType::not_found,
                   fmt::format("no incident \"{}\" here; /api/v1/incidents lists those that are kept", id));
}

}  // namespace

// Of the list as of the one.
void write_incident_summary(const model::Incident& incident, encoding::Json& json) {
  json.key("id").string(incident.id);
  json.key("service").string(incident.service);
  json.key("started").time(incident.started);
  json.key("ended");
  optional_time(incident.ended, json);
  json.key("end");
  if (incident.is_open()) json.null();
  else json.string(model::to_string(incident.end));
  json.key("headline").string(model::headline(incident));
  json.key("standing").string(model::standing(incident));
  json.key("tried").string(model::tried(incident));
  json.key("changed").string(incident.changed);
  json.key("dryRun").string(model::dry_run_text(incident));
  json.key("cause");
  write_cause(incident.cause, json);
  json.key("heldUntil");
  optional_time(incident.told ? std::nullopt : incident.hold_until, json);
  json.key("told");
  optional_time(incident.told, json);
  json.key("dependents").array([&] {
    for (const std::string& name : incident.dependents) json.string(name);
  });
  if (!incident.drill.empty()) json.key("drill").string(incident.drill);
  if (incident.missed.empty()) return;
  json.key("missedObjectives").array([&] {
    for (const std::string& name : incident.missed) json.string(name);
  });
}

Response api_incidents(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const std::string only = request.param("service");
  const auto& all = snapshot->incidents;
  const auto of_it = [&](const auto& incident) { return concerns(*incident, only); };
  if (!only.empty() && only != kOwnService && std::none_of(all.begin(), all.end(), of_it))
    if (auto slip = no_service(only, *snapshot)) return *std::move(slip);
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("incidents").array([&] {
        for (const auto& incident : snapshot->incidents)
          if (only.empty() || concerns(*incident, only)) json.object([&] { write_incident_summary(*incident, json); });
      });
    });
  });
}

Response api_incident(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const model::Incident* found = find_incident(request.argument, *snapshot);
  if (found == nullptr) return no_incident(request.argument);
  const model::Incident& incident = *found;
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      write_incident_summary(incident, json);
      json.key("alerts").array([&] {
        for (const model::Alert& alert : incident.alerts) write_alert(alert, *snapshot, json);
      });
      json.key("recoveries").array([&] {
        for (const model::RecoveryReport& report : incident.recoveries) write_recovery(report, json);
      });
      write_messages(incident, json);
      json.key("timeline").array([&] {
        for (const model::IncidentLine& line : model::timeline(incident))
          json.object([&] {
            json.key("at").time(line.at);
            json.key("text").string(line.text);
          });
      });
    });
  });
}

Response api_evidence(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  if (find_incident(request.argument, *snapshot) == nullptr) return no_incident(request.argument);
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("incident").string(request.argument);
      json.key("evidence").array([&] {
        for (const auto& evidence : snapshot->evidence)
          if (evidence->incident == request.argument) write_evidence(*evidence, json);
      });
    });
  });
}

}  // namespace web
