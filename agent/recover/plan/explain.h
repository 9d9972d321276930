// A plan in words, for `explain` and for the person who starts it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "recover/plan/guard.h"
#include "recover/plan/plan.h"
#include "recover/plan/plan_spec.h"

namespace recover {

struct PlanStatus {
  std::string service;
  RecoveryMode mode = RecoveryMode::dry_run;
  model::PlanState state = model::PlanState::idle;
  GuardName reason = GuardName::none;
  std::string recovery;  // id of the run under way; "": none
  int attempts_left = 0;
  std::optional<base::WallTime> not_before;  // backoff or cooldown ends
  std::vector<Guard> guards;
  std::string next;                // what would happen next, for a person
  std::vector<std::string> steps;  // the whole plan, a line for each step
  // For those who judge it: its first step that may heal ("": none), whether each of them has a verification, and what
  // it does with traffic.
  std::string cure;
  bool verifies = false, drains = false, undrains = false;
  // For those who wait for the outcome.
  bool wanted = false;             // what it is for is there, or may come: the service is down
  const Guard* waits_for() const;  // the guard that keeps it from acting; null: it acts, or is done
  base::Millis hold_for{};
};

PlanStatus describe(const Plan& plan, const PlanInput& input);

// What would happen next.
std::string next_text(const Plan& plan, const std::vector<Guard>& guards);

// What becomes of a plan that a person has just stopped: which step still runs, and what follows it.
std::string stop_text(const Plan& plan);

// A line for each step: "systemd restart order.service, at most 1m; over if every probe has 1 good run within 30s".
std::vector<std::string> steps_text(const PlanSpec& spec);

}  // namespace recover
