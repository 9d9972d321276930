#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

double seconds(base::Millis d) { return std::chrono::duration<double>(d).count(); }

// A rule's own state is that of its worst alert.
std::string_view state_of(const RulePage& rule) {
  model::AlertState worst = model::AlertState::inactive;
  for (const model::Alert& alert : rule.alerts) worst = std::max(worst, alert.state);
  return model::to_string(worst);
}

void write_rule(const RulePage& rule, bool with_alerts, const Snapshot& snapshot, encoding::Json& json) {
  const bool alerting = rule.type == model::RuleType::alerting;
  json.object([&] {
    if (alerting) json.key("state").string(state_of(rule));
    json.key("name").string(rule.name);
    json.key("query").string(rule.query);
    if (alerting) {
      json.key("duration").number(seconds(rule.for_duration));
      json.key("keepFiringFor").number(seconds(rule.keep_firing_for));
    }
    if (alerting || !rule.labels.empty()) json.key("labels").labels(rule.labels);
    if (alerting) {
      json.key("annotations").labels(rule.annotations);
      json.key("alerts").array([&] {
        if (with_alerts)
          for (const model::Alert& alert : rule.alerts) write_alert(alert, snapshot, json);
      });
    }
    json.key("health").string(to_string(rule.health));
    if (!rule.last_error.empty()) json.key("lastError").string(rule.last_error);
    json.key("evaluationTime").number(rule.evaluation_seconds);
    json.key("lastEvaluation").time(rule.last_evaluation);
    json.key("type").string(to_string(rule.type));
  });
}

bool wanted(const std::vector<std::string>& list, const std::string& name) {
  return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

Response api_rules(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const std::string wanted_type = request.param("type");
  std::optional<model::RuleType> type;
  if (wanted_type == "alert") type = model::RuleType::alerting;
  else if (wanted_type == "record") type = model::RuleType::recording;
  else if (!wanted_type.empty())
    return invalid_parameter("type", fmt::format("not supported value \"{}\"", wanted_type));
  const auto names = request.all_params("rule_name[]");
  const auto groups = request.all_params("rule_group[]");
  const auto files = request.all_params("file[]");
  // Prometheus 2 shows a group although none of its rules is of the type that was asked for.
  const bool keeps_empty_groups = context.options.engine.compat == promql::Compat::v2;
  const bool with_alerts = request.param("exclude_alerts") != "true";
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("groups").array([&] {
        for (const RuleGroupPage& group : snapshot->rule_groups) {
          if (!wanted(groups, group.name) || !wanted(files, group.file)) continue;
          const auto shown = [&](const RulePage& rule) {
            return (!type || rule.type == type) && wanted(names, rule.name);
          };
          const bool some = std::any_of(group.rules.begin(), group.rules.end(), shown);
          if (!some && (!names.empty() || (type && !keeps_empty_groups))) continue;
          json.object([&] {
            json.key("name").string(group.name);
            json.key("file").string(group.file);
            json.key("rules").array([&] {
              for (const RulePage& rule : group.rules)
                if (shown(rule)) write_rule(rule, with_alerts, *snapshot, json);
            });
            json.key("interval").number(seconds(group.interval));
            json.key("limit").integer(group.limit);
            json.key("evaluationTime").number(group.evaluation_seconds);
            json.key("lastEvaluation").time(group.last_evaluation);
          });
        }
      });
    });
  });
}

Response api_alerts(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("alerts").array([&] {
        for (const model::Alert& alert : snapshot->alerts) write_alert(alert, *snapshot, json);
      });
    });
  });
}

}  // namespace web
