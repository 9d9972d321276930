#include "rules/tools/possible_alerts.h"

#include <algorithm>
#include <map>
#include <utility>

#include "rules/compiled.h"
#include "rules/tools/alert_labels.h"
#include "rules/tools/rule_lint.h"

namespace rules {
namespace {

constexpr std::string_view kService = "service";

bool is_fixed(const CompiledRule& rule, std::string_view label) {
  return std::any_of(rule.fixed.begin(), rule.fixed.end(), [&](const auto& each) { return each.first == label; });
}

// Whether it reads something of this service: then it may speak of it.
bool reads_any(const CompiledRule& rule, const SeriesSources& of_service) {
  return std::any_of(rule.needs.begin(), rule.needs.end(),
                     [&](const promql::Needs& need) { return of_service.can_make(need.matchers); });
}

model::Labels with_service(const model::Labels& target, const std::string& service) {
  return target.merged(model::Labels{{kService, service}});
}

}  // namespace

const std::string& PossibleAlert::name() const { return rule_->source.alert; }

std::optional<std::string> PossibleAlert::label(std::string_view name) const {
  if (name == "alertname") return rule_->source.alert;
  for (auto each = rule_->fixed.rbegin(); each != rule_->fixed.rend(); ++each)
    if (each->first == name)
      return each->second.find("{{") == std::string::npos ? std::optional(each->second) : std::nullopt;
  if (!may_have_label(*rule_->expr, name)) return "";
  if (known_.has(name)) return std::string(known_.get(name));
  return std::nullopt;
}

std::vector<PossibleAlert> possible_alerts(const std::vector<CompiledGroupPtr>& groups, const SeriesSources& sources,
                                           const std::vector<std::string>& services, const model::Labels& target) {
  const std::map<std::string, SeriesSources> narrowed = sources.narrowed("service", services);
  std::vector<PossibleAlert> out;
  for (const CompiledGroupPtr& group : groups)
    for (const CompiledRule& rule : group->rules) {
      if (!rule.alerting() || !can_fire(rule, sources)) continue;
      if (is_fixed(rule, kService) || !may_have_label(*rule.expr, kService)) {
        out.emplace_back(rule, target);
        continue;
      }
      for (const auto& [service, of_service] : narrowed)
        if (reads_any(rule, of_service)) out.emplace_back(rule, with_service(target, service));
    }
  return out;
}

std::set<std::string> given_labels(const std::vector<CompiledGroupPtr>& groups) {
  std::set<std::string> out;
  for (const CompiledGroupPtr& group : groups)
    for (const CompiledRule& rule : group->rules)
      if (rule.alerting())
        for (const auto& [name, value] : rule.fixed) out.insert(name);
  return out;
}

bool has_alert(const std::vector<CompiledGroupPtr>& groups) {
  return std::any_of(groups.begin(), groups.end(), [](const CompiledGroupPtr& group) {
    return std::any_of(group->rules.begin(), group->rules.end(),
                       [](const CompiledRule& rule) { return rule.alerting(); });
  });
}

}  // namespace rules
