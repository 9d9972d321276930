// Alerts that keep others from receivers while they fire, as Alertmanager's inhibit_rules (version 0.25). Labels are
// those that receivers see. Loop thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/schema.h"
#include "model/labels.h"
#include "notify/route/matchers.h"

namespace notify {

struct InhibitRule {
  Matchers source, target;
  std::vector<std::string> equal;  // labels that both have with one value, or both have not

  model::Labels equal_part(const model::Labels& alert) const;
};

const config::Schema<InhibitRule>& inhibit_rule_schema();

// Which of the alerts that fire keep others back. An alert that is source and target of a rule is inhibited only by
// sources that are no targets: no two keep each other back.
class Inhibitor {
 public:
  Inhibitor() = default;
  explicit Inhibitor(const std::vector<InhibitRule>& rules);

  bool has_rules() const { return !rules_.empty(); }
  void fires(const model::Labels& alert);
  void ended(const model::Labels& alert);
  bool inhibits(const model::Labels& alert) const;

 private:
  struct Sources {
    std::set<model::Labels> all, no_targets;
  };
  struct Rule {
    InhibitRule rule;
    std::map<model::Labels, Sources> firing;  // by the labels that must be equal
  };

  std::vector<Rule> rules_;
};

}  // namespace notify
