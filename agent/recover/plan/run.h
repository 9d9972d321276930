// One run of a plan, from its trigger to its end: the report that people see and the place it has reached. Its JSON is
// the intent that is durable before each action, and from which an unfinished run goes on after a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/action_report.h"
#include "model/alert.h"

namespace recover {

enum class Part { steps, finally };

struct Run {
  model::RecoveryReport report;
  model::Alert alert;        // that triggered it
  Part part = Part::steps;   // which list `step` counts in
  std::size_t step = 0;      // the action that is about to start, or has
  bool step_done = false;    // that action has ended
  bool was_down = false;     // at the trigger; then being healthy again is a reason not to act
  bool by_operator = false;  // a person started it: health and alerts are no reason to leave it
  // A part of a rollout, which a person started too: of the steps that heal only this one, and no other follows.
  std::optional<std::size_t> only{};
  bool non_disruptive = false;  // only steps that heal nothing: a restart would not help now; then it waits
  bool unverified = false;      // an action may have healed the service and no verification followed yet
  std::uint64_t fence = 0;      // the number of its slot: SlotAnswer
  std::string stop;             // why no further step follows: who or what stopped the run; "": it goes on
  // Once the steps are over: recovered, failed, aborted or would_run.
  model::RecoveryState outcome = model::RecoveryState::none;

  bool by_person() const { return by_operator && !only; }  // who is there, and sees what comes of it
};

std::string to_json(const Run& run);
base::Result<Run> parse_run(const std::string& json);

std::string to_json(const model::RecoveryReport& report);
base::Result<model::RecoveryReport> parse_report(const std::string& json);

}  // namespace recover
