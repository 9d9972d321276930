// The alerts that rules may make, before one of them fired: for the question who will hear of them. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/labels.h"
#include "rules/manager.h"
#include "rules/tools/series_sources.h"

namespace rules {

struct CompiledRule;

// Of one rule, and of one service if the rule's alerts have one. The groups must outlive it.
class PossibleAlert {
 public:
  PossibleAlert(const CompiledRule& rule, model::Labels known) : rule_(&rule), known_(std::move(known)) {}

  const std::string& name() const;
  // "": it has no such label. nullopt: any value, or none.
  std::optional<std::string> label(std::string_view name) const;

 private:
  const CompiledRule* rule_;
  model::Labels known_;  // that the series have which it reads
};

// Of each rule that can fire: one alert for each of `services` that it can speak of, one if its alerts have no service
// or always the same. `target`: job and instance.
std::vector<PossibleAlert> possible_alerts(const std::vector<CompiledGroupPtr>& groups, const SeriesSources& sources,
                                           const std::vector<std::string>& services, const model::Labels& target);

// Labels that some rule or group gives its alerts: names that people have chosen.
std::set<std::string> given_labels(const std::vector<CompiledGroupPtr>& groups);

// Whether there is an alert among the rules at all.
bool has_alert(const std::vector<CompiledGroupPtr>& groups);

}  // namespace rules
