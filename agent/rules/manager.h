// Evaluates rule groups: on their grid as Prometheus does, and at once when a health change touches a series that one
// of their rules reads. Loop thread. Alert state is durable before the first evaluation and after every change.
//
// After a restart every alert goes on where it was, before the first evaluation, whatever its `for`:
// - firing alerts fire on, with fired_at and keep_firing_since as they were; an alert whose data have not been measured
//   again yet is neither resolved nor raised anew (at most five minutes; one when part of its data are back);
// - a pending alert keeps its active_at when the agent was away for less than the lookback, as a gap between samples
//   of that length would not have ended it either; after a longer absence the time away does not count towards `for`;
// - an alert whose rule is gone ends.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "config/rule_file.h"
#include "model/alert.h"
#include "model/rule.h"
#include "model/sample.h"
#include "promql/engine_options.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace promql {
class Queryable;
}  // namespace promql

namespace state {
class State;
}  // namespace state

namespace rules {

// A group with parsed expressions and templates; made by compile(), owned by the Manager.
struct CompiledGroup;
struct CompiledGroupDeleter {
  void operator()(CompiledGroup* group) const;
};
using CompiledGroupPtr = std::unique_ptr<CompiledGroup, CompiledGroupDeleter>;

std::size_t rule_count(const CompiledGroup& group);
const std::string& file_of(const CompiledGroup& group);

config::RuleFormat format_of(promql::Compat compat);

// Parses expressions and templates; mistakes are placed in the rule file, in the line of the expression or template.
std::vector<CompiledGroupPtr> compile(std::vector<config::RuleGroup> groups, promql::Compat compat,
                                      config::Errors& errors);

struct Options {
  promql::EngineOptions engine;
  base::Millis evaluation_interval{5000};  // of groups without their own
  model::Labels external_labels;           // for templates
  std::string external_url;                // for templates and generatorURL
  std::string node;                        // phases of groups are hashed from it
};

struct Callbacks {
  // Stores one sample of ALERTS, ALERTS_FOR_STATE or a recording; stale markers too. False if the store refused it.
  std::function<bool(const model::Labels&, model::Sample)> append;
  // All changes of one evaluation of one group, in order of rules; after their samples were stored.
  std::function<void(const std::vector<model::AlertTransition>&)> on_transitions;
  // After each evaluation of a rule: for counters.
  std::function<void(const std::string& group, const std::string& rule, base::Duration took, bool ok)> on_evaluated;
  // After each evaluation of a whole group.
  std::function<void(base::Duration took)> on_group_evaluated{};
  // The wall clock was set by `step`, beside the time that passed: samples are to move with it, as alerts do.
  std::function<void(base::Millis step)> on_clock_set{};
};

struct RuleStatus {
  std::string name, query;
  model::RuleType type = model::RuleType::recording;
  base::Millis for_duration{}, keep_firing_for{};
  model::Labels labels, annotations;
  model::RuleHealth health = model::RuleHealth::unknown;
  std::string last_error;
  base::WallTime last_evaluation{};
  base::Duration took{};
  std::size_t series = 0;
  // Since its first evaluation none of its selectors found a series, and it never had a result: mistyped, or about
  // something that this node does not have.
  std::optional<base::WallTime> unmatched_since;
  std::vector<model::Alert> alerts;  // active ones
};
struct GroupStatus {
  std::string name, file;
  base::Millis interval{};
  int limit = 0;
  base::WallTime last_evaluation{};
  base::Duration took{};
  std::uint64_t iterations = 0, missed = 0;     // points of the grid, and those of them that passed while it was busy
  std::uint64_t evaluations = 0, failures = 0;  // of rules, those out of turn too
  std::vector<RuleStatus> rules;
};

class Manager {
 public:
  Manager(Options options, loop::Scheduler& scheduler, state::State& state, const promql::Queryable& data,
          Callbacks callbacks);
  ~Manager();

  // Unchanged groups (file, name, interval, limit, rules) go on as they are; changed ones keep the state of rules that
  // have the same name and labels. `gone`, asked at the first call only, says of an alert of an earlier life that
  // nothing in the configuration can measure it any more: it does not wait for data, unless the rule itself names its
  // service.
  using Gone = std::function<bool(const model::Labels& alert)>;
  void replace(std::vector<CompiledGroupPtr> groups, const Gone& gone = {});
  // Ends now the alerts whose rules the last replace() took away, instead of in the next turn: for a manager that goes
  // before that. Callbacks may be called.
  void end_what_is_gone();
  // The samples of these series just changed outside their rhythm: groups that read one of them are evaluated in the
  // next turn.
  void touched(const std::vector<model::Labels>& series);
  // Looks whether the wall clock was set. Evaluations do it themselves; who stamps samples with the wall clock calls it
  // before, so that none is older than one that is there.
  void follow_clock();

  std::vector<GroupStatus> groups() const;
  std::vector<model::Alert> active_alerts() const;  // pending and firing
  // All that the rules know of, by labels, with those that resolved lately; of two with equal labels one that fires.
  std::map<model::Labels, model::Alert> known_alerts() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace rules
