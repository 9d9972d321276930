#include "notify/route/inhibit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace notify {
namespace {

using Read = void (*)(const config::Node&, Matchers&, const std::string&, config::Errors&);

config::Schema<InhibitRule>::Reader reader(Matchers InhibitRule::*member, Read read) {
  return [member, read](const config::Node& node, InhibitRule& rule, const std::string& path, config::Errors& errors) {
    read(node, rule.*member, path, errors);
  };
}

}  // namespace

model::Labels InhibitRule::equal_part(const model::Labels& alert) const {
  std::vector<model::Label> out;
  for (const std::string& name : equal) out.push_back({name, alert.get(name)});
  return model::Labels(std::move(out));
}

const config::Schema<InhibitRule>& inhibit_rule_schema() {
  static const auto schema =
      config::Schema<InhibitRule>("inhibit_rules")
          .custom("source_matchers", "Which alerts keep others back while they fire: ['alertname=\"ServiceDown\"'].",
                  "[]", reader(&InhibitRule::source, read_matchers))
          .custom("target_matchers", "Which alerts are kept back.", "[]", reader(&InhibitRule::target, read_matchers))
          .optional("equal", &InhibitRule::equal,
                    "Labels that both must have with the same value; one that both have not is equal.")
          .custom("source_match", "The older way: labels that must be equal.", "{}",
                  reader(&InhibitRule::source, read_equal))
          .custom("source_match_re", "The older way: labels that must match a regular expression.", "{}",
                  reader(&InhibitRule::source, read_regex))
          .custom("target_match", "The older way, of those that are kept back.", "{}",
                  reader(&InhibitRule::target, read_equal))
          .custom("target_match_re", "The older way, of those that are kept back.", "{}",
                  reader(&InhibitRule::target, read_regex))
          .shows({"equal"})
          .check([](const InhibitRule& rule, const config::Complain& complain) {
            for (const std::string& name : rule.equal)
              if (!config::is_label_name(name)) complain("equal", fmt::format("'{}' is no name of a label", name));
          });
  return schema;
}

Inhibitor::Inhibitor(const std::vector<InhibitRule>& rules) {
  for (const InhibitRule& rule : rules) rules_.push_back({rule, {}});
}

void Inhibitor::fires(const model::Labels& alert) {
  for (Rule& each : rules_) {
    if (!model::matches_all(each.rule.source, alert)) continue;
    Sources& sources = each.firing[each.rule.equal_part(alert)];
    sources.all.insert(alert);
    if (!model::matches_all(each.rule.target, alert)) sources.no_targets.insert(alert);
  }
}

void Inhibitor::ended(const model::Labels& alert) {
  for (Rule& each : rules_) {
    const auto found = each.firing.find(each.rule.equal_part(alert));
    if (found == each.firing.end()) continue;
    found->second.no_targets.erase(alert);
    found->second.all.erase(alert);
    if (found->second.all.empty()) each.firing.erase(found);
  }
}

bool Inhibitor::inhibits(const model::Labels& alert) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& each) {
    if (!model::matches_all(each.rule.target, alert)) return false;
    const auto found = each.firing.find(each.rule.equal_part(alert));
    if (found == each.firing.end()) return false;
    return !found->second.no_targets.empty() || !model::matches_all(each.rule.source, alert);
  });
}

}  // namespace notify
