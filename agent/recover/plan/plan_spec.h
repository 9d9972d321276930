// A service's recovery as configured: when, how far, within which limits, in which steps.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "recover/action.h"
#include "recover/plan/maintenance.h"

namespace config {
class Errors;
struct KeyReference;
class Node;
struct Service;
}  // namespace config

namespace recover {

using model::RecoveryMode;
using model::RecoveryState;

enum class OnFailure { escalate, proceed, stop };  // next step as an escalation; go on as if it had worked; give up

struct Verify {
  int success_threshold = 1;  // consecutive good runs of every probe of the service
  base::Millis within{30'000};
};

struct Step {
  std::string text;  // the action as configured, for reports
  std::unique_ptr<const Action> action;
  base::Millis timeout{60'000};
  OnFailure on_failure = OnFailure::escalate;
  std::optional<Verify> verify;  // absent: the step ends with its action and the next one follows
  base::KnownSecrets secrets{};  // secrets of its action: its result is told without them
};

struct Backoff {
  base::Millis initial{5'000};
  double factor = 2;
  base::Millis max{300'000};
  double jitter = 0.2;
  base::Millis reset_after{600'000};
};

struct Budget {
  int attempts = 3;
  base::Millis within{900'000};
  Backoff backoff;
};

struct GuardSettings {
  bool dependencies_healthy = true;
  static constexpr base::Millis kMinUptime{30'000};
  std::optional<base::Millis> min_uptime{};  // of the service since its last start; nullopt: not configured
  base::Millis cooldown{120'000};            // after a recovery of this service ended
  base::Millis agent_uptime{60'000};         // of the agent itself
  bool respects_clean_stop = true;           // a unit that a person stopped is not started
};

// Health that changes so often within the window is not mended by another restart.
struct Flapping {
  int transitions = 6;
  base::Millis within{600'000};
};

struct PlanSpec {
  std::string service;
  std::string text;  // all that it was made of: two plans with the same text are the same
  std::string unit;
  std::vector<std::string> depends_on;
  std::vector<std::string> probes;  // names of the service's probes: a verification needs good runs of every one
  std::vector<std::pair<std::string, std::string>> when;  // labels of the alert: `alert` is alertname
  std::optional<base::Millis> when_down;                  // instead of an alert: the service was down for so long
  std::optional<Flapping> flapping;
  RecoveryMode mode = RecoveryMode::dry_run;
  base::Millis ask_timeout{1'800'000};  // in mode ask: a person has so long to approve
  base::Millis hold_for{120'000};       // people wait so long for the outcome
  GuardSettings guards;
  Budget budget;
  MaintenanceTimes maintenance;
  std::vector<Step> steps;
  std::vector<Step> finally;

  // Which step is the first that may heal; nullopt if none does.
  std::optional<std::size_t> first_healing() const;
  // The step that a rollout's word means: restart and reload are the verb of a step, unit_hook:X, command:/opt/x name
  // one with its type; "": the first one that may heal. nullopt: the plan has none.
  std::optional<std::size_t> step_of(const std::string& word) const;
  // What it works on: the service's unit first, if it has one, then those of its steps, hooks too.
  std::vector<std::string> units() const;
  // What the step works on, so that others leave it alone meanwhile: units, and the target of its action. Empty for a
  // step that heals nothing.
  std::vector<std::string> targets(const Step& step) const;
};

const std::vector<config::KeyReference>& plan_reference();  // the keys of `recovery`

// Mistakes (unknown action, no steps, a systemd action on a service without a unit …) go to `errors`.
// nullptr if the service has no recovery.
std::unique_ptr<PlanSpec> parse_plan(const std::string& service, const config::Service& settings,
                                     config::Errors& errors);

}  // namespace recover
