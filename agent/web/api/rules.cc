#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

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
      json.key("alerts");
      if (with_alerts)
        json.array([&] {
          for (const model::Alert& alert : rule.alerts) write_alert(alert, snapshot, json);
        });
      else json.null();
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

// Or what is wrong with the parameters.
std::variant<Paging, Response> paging_of(const Request& request, const std::vector<RuleGroupPage>& groups) {
  Paging out{0, request.param("group_next_token")};
  const std::string text = request.param("group_limit");
  if (text.empty() && !out.token.empty())
    return invalid_parameter("group_next_token",
                             "group_limit needs to be present in order to paginate over the groups");
  if (!text.empty()) {
    const auto limit = base::read_number<std::int32_t>(text);
    if (!limit)
      return invalid_parameter(
          "group_limit",
          fmt::format("group_limit needs to be a valid number: strconv.ParseInt: parsing \"{}\": invalid syntax",
                      text));
    if (*limit <= 0) return invalid_parameter("group_limit", "group_limit needs to be greater than 0");
    out.limit = static_cast<std::size_t>(*limit);
  }
  const auto is_next = [&](const RuleGroupPage& group) { return token_of(group) == out.token; };
  if (!out.token.empty() && std::none_of(groups.begin(), groups.end(), is_next))
    return invalid_parameter("group_next_token",
                             fmt::format("invalid group_next_token '{}'. were rule groups changed?", out.token));
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
    if (!set) return api_error(ErrorType::bad_data, set.error().text);
    matchers.push_back(*std::move(set));
  }
  auto wanted_page = paging_of(request, snapshot->rule_groups);
  if (auto* refusal = std::get_if<Response>(&wanted_page)) return std::move(*refusal);
  const Paging& paging = std::get<Paging>(wanted_page);
  // Prometheus 2 shows a group although none of its rules is of the type that was asked for.
  const bool keeps_empty_groups = context.options.engine.compat == promql::Compat::v2;
  const bool with_alerts = request.param("exclude_alerts") != "true";
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      std::string next;
      std::size_t shown_groups = 0;
      bool begun = paging.token.empty();
      json.key("groups").array([&] {
        for (const RuleGroupPage& group : snapshot->rule_groups) {
          begun = begun || token_of(group) == paging.token;
          if (!begun || !next.empty()) continue;
          if (!wanted(groups, group.name) || !wanted(files, group.file)) continue;
          const auto shown = [&](const RulePage& rule) {
            return (!type || rule.type == type) && wanted(names, rule.name) && matched(matchers, rule);
          };
          const bool some = std::any_of(group.rules.begin(), group.rules.end(), shown);
          if (!some && (!names.empty() || !matchers.empty() || (type && !keeps_empty_groups))) continue;
          if (paging.limit > 0 && shown_groups++ == paging.limit) {
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
