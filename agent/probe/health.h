// Outcomes in, health out: thresholds as a function of (thresholds, state, outcome), without a clock or a loop.
#pragma once

#include <set>

#include "model/health.h"
#include "model/outcome.h"

namespace probe {

struct Thresholds {
  int failure = 3;  // consecutive failures until a probe is down
  int success = 1;  // consecutive successes until a probe that was down is up again
  std::set<model::Reason> fatal;
};

struct HealthState {
  model::Health health = model::Health::unknown;
  int failures = 0;   // consecutive
  int successes = 0;  // consecutive
};

// What made the run: its time on the grid, or an event that said that something changed.
enum class Cause { grid, event };

// Counts one outcome and says whether health changed. The first success of an unknown probe makes it up at once;
// failures count as usual, except that one with a fatal reason is enough, and so is a refused connection right after an
// event (who listens no more will not listen a third of a second later). agent_overloaded says nothing about the
// service and counts for nothing.
bool judge(const Thresholds& thresholds, const model::Outcome& outcome, Cause cause, HealthState& state);

// Outcomes point to a change that the thresholds hold back for now: look again soon.
bool change_pending(const HealthState& state);

}  // namespace probe
