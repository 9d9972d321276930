// Actions that the plans of a node have an hour. A fault that takes many services at once, or a rule that is wrong,
// must not have the whole node restarted. An action counts if it may heal: restarts do, traffic that is moved and
// people who are told do not. Actions are counted durably, in the commit of their intent. Dry runs have records of
// their own. How many plans act at the same time NodeSlots says. Loop thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/agent_config.h"
#include "recover/plan/guard.h"
#include "recover/plan/plan_spec.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace state {
struct Change;
class State;
}  // namespace state

namespace recover {

struct NodeLimits {
  int plans_at_once = config::NodeRecovery{}.plans_at_once;
  int actions_per_hour = config::NodeRecovery{}.actions_per_hour;
  std::string pause_file{};  // while it exists no plan starts; "": none
};

class NodeBudget {
 public:
  NodeBudget(state::State& state, loop::Scheduler& scheduler, NodeLimits limits);

  void change(NodeLimits limits) { limits_ = std::move(limits); }
  const std::string& pause_file() const { return limits_.pause_file; }

  // node_budget: whether another action may start.
  Guard budget() const;
  int actions_left() const;

  // The service's plan is about to write the intent of an action; the change belongs into that commit. Asked again for
  // the same intent it counts once, until settle() says how the commit ended.
  state::Change spend(const std::string& service);
  // The action of the last intent was refused: it is as if it had not been asked for.
  void give_back();
  enum class Commit { kept, lost };
  void settle(const std::string& service, Commit how);

 private:
  std::vector<base::Instant> counted() const;  // with those under way

  loop::Scheduler& scheduler_;
  NodeLimits limits_;
  std::vector<base::Instant> actions_;              // of the last hour, oldest first
  std::map<std::string, base::Instant> under_way_;  // by service
};

}  // namespace recover
