#include "notify/webhook_body.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/json.h"
#include "notify/fields.h"
#include "notify/incident/news.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

ordered_json recovery(const model::RecoveryReport& report) {
  ordered_json actions = ordered_json::array();
  for (const model::ActionReport& action : report.actions)
    actions.push_back({{"action", action.action},
                       {"result", to_string(action.result)},
                       {"text", action.text},
                       {"startedAt", rfc3339_milliseconds(action.started)},
                       {"seconds", base::seconds(action.took)}});
  ordered_json out{{"id", report.id},
                   {"service", report.service},
                   {"trigger", report.trigger},
                   {"mode", to_string(report.mode)},
                   {"state", to_string(report.state)},
                   {"reason", report.reason},
                   {"attempt", report.attempt},
                   {"startedAt", rfc3339_milliseconds(report.started)}};
  out["endedAt"] = report.ended ? ordered_json(rfc3339_milliseconds(*report.ended)) : ordered_json(nullptr);
  out["actions"] = std::move(actions);
  return out;
}

ordered_json incident_object(const model::Incident& incident, const Envelope& envelope) {
  const model::IncidentCause& cause = incident.cause;
  ordered_json out{{"id", incident.id},
                   {"news", envelope.news},
                   {"service", incident.service},
                   {"title", model::headline(incident)},
                   {"text", incident_text(incident)},
                   {"cause",
                    {{"probe", cause.probe},
                     {"reason", cause.reason},
                     {"text", cause.text},
                     {"address", cause.address},
                     {"death", cause.death}}},
                   {"changed", incident.changed},
                   {"dependents", incident.dependents},
                   {"startedAt", rfc3339_milliseconds(incident.started)}};
  out["cause"]["status"] = cause.status == 0 ? ordered_json(nullptr) : ordered_json(cause.status);
  out["endedAt"] = incident.ended ? ordered_json(rfc3339_milliseconds(*incident.ended)) : ordered_json(nullptr);
  out["end"] = incident.is_open() ? ordered_json(nullptr) : ordered_json(model::to_string(incident.end));
  return out;
}

}  // namespace

std::string webhook_body(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>& recoveries,
                         const Envelope& envelope, std::size_t truncated) {
  ordered_json list = ordered_json::array();
  std::vector<model::Labels> labels, annotations;
  bool any_firing = false;
  for (const model::Alert& alert : alerts) {
    const bool firing = alert.state == model::AlertState::firing;
    any_firing = any_firing || firing;
    labels.push_back(outward_labels(alert, envelope.external_labels));
    annotations.push_back(alert.annotations);
    list.push_back(
        {{"status", firing ? "firing" : "resolved"},
         {"labels", model::label_object<nlohmann::ordered_json>(labels.back())},
         {"annotations", model::label_object<nlohmann::ordered_json>(alert.annotations)},
         {"startsAt", rfc3339_shortest(starts_at(alert))},
         {"endsAt", firing ? "0001-01-01T00:00:00Z" : rfc3339_shortest(alert.resolved_at.value_or(envelope.at))},
         {"generatorURL", alert.generator_url},
         {"fingerprint", fmt::format("{:016x}", labels.back().hash())}});
  }
  ordered_json told = ordered_json::array();
  for (const model::RecoveryReport& report : recoveries) told.push_back(recovery(report));
  ordered_json body{{"receiver", envelope.receiver},
                    {"status", any_firing ? "firing" : "resolved"},
                    {"alerts", std::move(list)},
                    {"groupLabels", model::label_object<nlohmann::ordered_json>(envelope.group_labels)},
                    {"commonLabels", model::label_object<nlohmann::ordered_json>(common_labels(labels))},
                    {"commonAnnotations", model::label_object<nlohmann::ordered_json>(common_labels(annotations))},
                    {"externalURL", envelope.external_url},
                    {"version", "4"},
                    {"groupKey", envelope.group_key},
                    {"truncatedAlerts", truncated},
                    {"node", envelope.node},
                    {"recoveries", std::move(told)}};
  if (envelope.incident != nullptr) body["incident"] = incident_object(*envelope.incident, envelope);
  return dump_json(body);
}

}  // namespace notify
