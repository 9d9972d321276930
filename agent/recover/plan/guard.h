// Guards: conditions that must hold before a plan may act. Each has a name, which is the reason of a refusal. Pure:
// the same plan, budget and input always give the same guards, so that `explain` shows exactly what decided.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/health.h"
#include "model/node_change.h"
#include "model/self_check.h"
#include "recover/plan/budget.h"
#include "recover/plan/guard_name.h"
#include "recover/plan/maintenance.h"
#include "recover/plan/plan_spec.h"

namespace recover {

// One guard with its value, for `explain`.
struct Guard {
  GuardName name = GuardName::none;
  bool open = true;
  std::string text;                      // "2 of 3 attempts left in 15m", "redis is down"
  std::optional<base::Instant> opens{};  // when a closed guard opens by time alone
};

std::string to_string(const Guard& guard);  // "dependencies: redis is down"

struct Dependency {
  std::string name;
  model::Health health = model::Health::unknown;  // its verdict
  model::Health latest = model::Health::unknown;  // what the last run of its probes says, before any threshold
};

// What a plan decides by, as it is at the moment of a decision.
struct PlanInput {
  base::Instant now{};
  base::WallTime wall{};
  base::Instant agent_started{};
  model::Health health = model::Health::unknown;  // of the service
  std::optional<base::Duration> uptime;           // of the service's main process
  enum class Since { was_ready, never_ready };    // whether every probe had a good run since that process started
  Since since_start = Since::was_ready;
  std::optional<base::Duration>
      start_timeout{};  // what systemd gives a start of the unit; nullopt: unknown, or for ever
  std::vector<Dependency> dependencies;
  std::optional<Hold> maintenance, paused;
  std::vector<model::Impairment> impairments;  // why the agent does not trust what it saw
  std::optional<std::string> stopped;          // that a person stopped the unit or the container
  std::optional<std::string> drained;          // that a person took it out of its load balancer
  std::optional<base::Instant> asked_again;    // when what was asked about these two does not count any more
  // The newest change of the service's unit, program or configuration, if it may be the cause of its faults.
  std::optional<model::NodeChange> changed;
  // Of the service's unit and of the one that the step that comes works on; unit_guards has them. Empty: no unit.
  std::vector<Guard> unit;
  std::vector<Guard> slots{{GuardName::node_busy, true, "no"}};  // as Slots has seen them: who holds them
  // What the plans of this node share; NodeBudget has it.
  Guard node_budget{GuardName::node_budget, true, "not limited"};
  // Whether another plan works on what the step that comes works on.
  Guard target{GuardName::target_busy, true, "no"};
};

// All guards, open and closed, in the order in which they are asked: the first closed one is the reason.
// A service with probes is left alone while they have no verdict. A dependency closes its guard with its verdict, and
// before that with the last run of its probes: it may be found down later than who depends on it. One whose health is
// unknown does not: unknown is not down. Cooldown follows a run that recovered, backoff one that failed. A service
// without a known process has no uptime that would hold anything back. One that has not been ready since its process
// started may just need longer: it gets twice the time after each failed run, and where min_uptime is not configured
// at least what systemd gives its start. Of what broke by a change, one run of the plan is enough to know that it is no
// cure.
std::vector<Guard> evaluate_guards(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input);

// The guard that says that a restart would not help (dependencies, flapping, changed_recently), if it and only passing
// ones are closed and the plan begins with steps that heal nothing, such as drain: then those are done, and the rest
// waits. Else null.
const Guard* first_that_skips_disruption(const PlanSpec& plan, const std::vector<Guard>& guards);

// agent_overloaded: whether the agent itself has descriptors and tasks for an action.
Guard overloaded(const PlanInput& input);

// Maintenance or a pause file, if it is on: no step of a run follows then.
std::optional<std::string> hands_off(const PlanInput& input);

// What a rollout does with a closed guard: it is asked again, or only people open it and the rollout stops.
enum class Heed { no, later, never };
Heed heed_of_rollout(GuardName name);
const Guard* first_closed_to_rollout(const std::vector<Guard>& guards);

// The first closed guard, or null.
const Guard* first_closed(const std::vector<Guard>& guards);
// The first one that also holds back a person who starts the plan: maintenance, paused, exhausted, budget,
// unit_missing, unit_masked, node_stopping, dependencies, node_busy, target_busy, fleet_unknown, fleet_busy,
// fleet_min_healthy. The others slow down the agent's own haste, and `ask` waits for just this person.
const Guard* first_closed_to_person(const std::vector<Guard>& guards);

}  // namespace recover
