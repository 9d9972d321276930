#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "base/number.h"
#include "promql/parser.h"
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

// Whether one of the selectors of match[] finds the rule by its labels, as they are written.
bool matched(const std::vector<std::vector<model::Matcher>>& sets, const RulePage& rule) {
  return sets.empty() || std::any_of(sets.begin(), sets.end(),
                                     [&](const auto& matchers) { return model::matches_all(matchers, rule.labels); });
}

// Says where the next page of groups begins.
std::string token_of(const RuleGroupPage& group) {
  return fmt::format("{:016x}", base::fnv1a(group.name, base::fnv1a(";", base::fnv1a(group.file))));
}

struct Paging {
  std::size_t limit = 0;  // 0: all groups
  std::string token;      // of the group that comes first
};

base::Result<Paging> paging_of(const Request& request, const std::vector<RuleGroupPage>& groups) {
  Paging out{0, request.param("group_next_token")};
  if (const std::string text = request.param("group_limit"); !text.empty()) {
    out.limit = base::read_number<std::size_t>(text).value_or(0);
    if (out.limit == 0)
      return base::fail(base::Kind::invalid, "group_limit needs to be a valid number, greater than 0: " + text);
  }
  if (out.token.empty()) return out;
  if (out.limit == 0)
    return base::fail(base::Kind::invalid, "group_limit needs to be present in order to paginate over the groups");
  if (std::none_of(groups.begin(), groups.end(), [&](const RuleGroupPage& g) { return token_of(g) == out.token; }))
    return base::fail(base::Kind::invalid,
                      fmt::format("invalid group_next_token '{}', were rule groups changed?", out.token));
  return out;
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
  std::vector<std::vector<model::Matcher>> matchers;
  for (const std::string& text : request.all_params("match[]")) {
    auto set = promql::parse_matchers(text, context.options.engine.compat);
    if (!set) return invalid_parameter("match[]", set.error().text);
    matchers.push_back(*std::move(set));
  }
  const auto paging = paging_of(request, snapshot->rule_groups);
  if (!paging) return api_error(ErrorType::bad_data, paging.error().text);
  // Prometheus 2 shows a group although none of its rules is of the type that was asked for.
  const bool keeps_empty_groups = context.options.engine.compat == promql::Compat::v2;
  const bool with_alerts = request.param("exclude_alerts") != "true";
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      std::string next;
      std::size_t shown_groups = 0;
      bool begun = paging->token.empty();
      json.key("groups").array([&] {
        for (const RuleGroupPage& group : snapshot->rule_groups) {
          begun = begun || token_of(group) == paging->token;
          if (!begun || !next.empty()) continue;
          if (!wanted(groups, group.name) || !wanted(files, group.file)) continue;
          const auto shown = [&](const RulePage& rule) {
            return (!type || rule.type == type) && wanted(names, rule.name) && matched(matchers, rule);
          };
          const bool some = std::any_of(group.rules.begin(), group.rules.end(), shown);
          if (!some && (!names.empty() || !matchers.empty() || (type && !keeps_empty_groups))) continue;
          if (paging->limit > 0 && shown_groups++ == paging->limit) {
            next = token_of(group);
            continue;
          }
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
      if (!next.empty()) json.key("groupNextToken").string(next);
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
