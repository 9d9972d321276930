// The names of guards: one bounded set, which the API shows, the counter of refusals has as its label and durable
// reports keep.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace recover {

enum class GuardName {
  none,  // nothing holds back
  maintenance,
  paused,
  aborted,
  exhausted,
  flapping,
  changed_recently,
  budget,
  agent_uptime,
  stall,
  clock_jump,
  agent_overloaded,
  unknown,
  stopped_by_operator,
  drained_by_operator,
  unit_missing,
  unit_masked,
  unit_starting,
  unit_job,
  node_stopping,
  dependencies,
  min_uptime,
  cooldown,
  backoff,
  node_busy,
  fleet_unknown,
  fleet_panic,
  fleet_busy,
  fleet_min_healthy,
  node_budget,
  target_busy,
  ask,
  state,  // never asked before a run: its intent could not be written
};

std::string_view to_string(GuardName name);  // "" for none
std::optional<GuardName> parse_guard_name(std::string_view name);
const std::vector<GuardName>& all_guard_names();  // without none

// Only people open it, whatever time it is.
bool is_for_person(GuardName name);
// fettle ack opens it: a person has seen to the cause.
bool opens_by_ack(GuardName name);
// Of what systemd does with the unit: unit_guards has them.
bool is_of_unit(GuardName name);
// Of what the plans of a node share.
bool is_of_node(GuardName name);
// Of what the plans of a group share over all nodes.
bool is_of_fleet(GuardName name);

}  // namespace recover
