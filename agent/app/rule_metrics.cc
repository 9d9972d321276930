#include "app/rule_metrics.h"

#include <algorithm>

namespace app {
namespace {

void add_counter(Families& families, std::string_view name, std::string_view help, const model::Labels& labels,
                 std::uint64_t value) {
  families.add(name, help, labels, static_cast<double>(value), model::MetricType::counter, "_total");
}

void add_group(Families& families, const rules::GroupStatus& group) {
  const model::Labels key{{"rule_group", group.file + ";" + group.name}};
  add_counter(families, "prometheus_rule_evaluations", "Rule evaluations, whether they went well or not.", key,
              group.evaluations);
  add_counter(families, "prometheus_rule_evaluation_failures", "Rule evaluations that ended with an error.", key,
              group.failures);
  add_counter(families, "prometheus_rule_group_iterations",
              "Evaluations of the group that were due, whether they were done or missed.", key, group.iterations);
  add_counter(families, "prometheus_rule_group_iterations_missed",
              "Evaluations of the group that were left out because the agent was busy.", key, group.missed);
  families.add("prometheus_rule_group_interval_seconds", "Time between two evaluations of the group.", key,
               base::seconds(group.interval));
  families.add("prometheus_rule_group_last_duration_seconds", "How long the last evaluation of the group took.", key,
               base::seconds(group.took));
  families.add("prometheus_rule_group_last_evaluation_timestamp_seconds",
               "When the group was evaluated last, in seconds since the epoch.", key,
               base::seconds(group.last_evaluation));
  std::size_t samples = 0;
  for (const rules::RuleStatus& rule : group.rules) samples += rule.last_error.empty() ? rule.series : 0;
  families.add("prometheus_rule_group_last_evaluation_samples",
               "Samples that the last evaluation of the group returned.", key, static_cast<double>(samples));
  families.add("prometheus_rule_group_rules", "Rules in the group.", key, static_cast<double>(group.rules.size()));
  const auto unmatched = std::count_if(group.rules.begin(), group.rules.end(),
                                       [](const rules::RuleStatus& rule) { return rule.unmatched_since.has_value(); });
  families.add("fettle_rule_group_unmatched_rules",
               "Rules of the group whose selectors have found no series since the group was loaded.", key,
               static_cast<double>(unmatched));
}

}  // namespace

void add_rule_groups(Families& families, const std::vector<rules::GroupStatus>& groups) {
  for (const rules::GroupStatus& group : groups) add_group(families, group);
}

}  // namespace app
