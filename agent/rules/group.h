// One group of rules from evaluation to evaluation: rules one after the other at one timestamp, each one's series in
// the store before the next rule is evaluated, stale markers for series that are gone. Knows no timer: the manager (and
// a unit test of a rule file) says when. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "promql/engine.h"
#include "rules/alert_state.h"
#include "rules/compiled.h"
#include "rules/manager.h"

namespace rules {

// What every group shares.
struct EvaluationContext {
  const Options& options;
  promql::Engine& engine;
  const promql::Queryable& data;
  const std::function<bool(const model::Labels&, model::Sample)>& append;
};

// A rule and what its last evaluation left behind.
struct LiveRule {
  const CompiledRule* rule = nullptr;
  AlertState alerts;                                            // of alerting rules
  std::unordered_set<model::Labels, model::LabelsHash> series;  // written last time
  std::size_t refused = 0;  // samples of the last evaluation that the store did not take
  std::string error;        // of the last evaluation; "" if it went well
  bool evaluated = false;
  bool matched = false;  // a selector found a series once, or there was a result, or there is no selector
  std::optional<base::WallTime> first_evaluation;
  base::WallTime last_evaluation{};
  base::Duration took{};
  std::vector<model::Labels>
      restored;  // alerts of before the start, or of before the agent stood still, that no evaluation has found yet
};

struct Evaluation {
  AlertChanges changes;
  // Rules whose alerts changed, with the labels of those alerts; for the durable records.
  std::vector<std::pair<const LiveRule*, std::vector<model::Labels>>> records;
};

class Group {
 public:
  Group(CompiledGroupPtr compiled, EvaluationContext context);

  // After a rule: its place in the group, how long it took by `clock`, and whether it went well.
  using OnRule = std::function<void(const LiveRule&, base::Duration took)>;
  Evaluation evaluate(base::WallTime at, const std::function<base::Instant()>& clock, const OnRule& on_rule);

  // Alerts and series of rules with the same name and labels go over, first come first served.
  void adopt(Group& old);
  // Alerts found in no data yet are kept until `until`, or until a series that belongs to them has a sample after
  // `since`.
  void hold(base::WallTime since, base::WallTime until, const Manager::Gone& gone);
  void shift(base::Millis by);
  bool reads(const std::vector<model::Labels>& series) const;

  const CompiledGroup& compiled() const { return *compiled_; }
  const config::RuleGroup& source() const { return compiled_->source; }
  base::Millis interval() const;
  std::vector<LiveRule>& rules() { return rules_; }
  const std::vector<LiveRule>& rules() const { return rules_; }

 private:
  base::Result<std::vector<model::Labels>> evaluate_rule(LiveRule& live, base::WallTime at, Evaluation& out);
  void look_for_series(LiveRule& live, base::WallTime at) const;
  bool held(LiveRule& live, const model::Alert& alert, base::WallTime at) const;

  CompiledGroupPtr compiled_;
  EvaluationContext context_;
  std::vector<LiveRule> rules_;
  base::WallTime data_since_{}, hold_until_{};
};

}  // namespace rules
