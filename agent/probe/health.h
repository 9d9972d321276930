// Outcomes in, health out: thresholds as a function of (thresholds, state, outcome), without a clock or a loop.
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "model/health.h"
#include "model/outcome.h"

namespace probe {

struct Thresholds {
  int failure = 3;  // failures until a probe is down: consecutive ones, or those among the last `window` runs
  int success = 1;  // consecutive successes until a probe that was down is up again
  std::set<model::Reason> fatal{};
  int window = 0;  // at most kLongestWindow; 0: failures count in a row
};
inline constexpr int kLongestWindow = 64;

struct HealthState {
  model::Health health = model::Health::unknown;
  int failures = 0;                   // consecutive
  int successes = 0;                  // consecutive
  std::uint64_t recent_failures = 0;  // a bit for each of the last runs, the newest is bit 0; empty after a recovery
};

// What made the run: its time on the grid, or an event that said that something changed.
enum class Cause { grid, event };

// Whether the service has only just started, and has not yet answered since.
enum class Starting { no, yes };

// Counts one outcome and says whether health changed. A failure while the service is starting counts for nothing unless
// its reason is fatal: a process that is gone is not about to answer. The first success of an unknown probe makes it up
// at once; failures count as usual, except that one with a fatal reason is enough, and so is a refused connection right
// after an event (who listens no more will not listen a third of a second later). agent_overloaded says nothing about
// the service and counts for nothing.
bool judge(const Thresholds& thresholds, const model::Outcome& outcome, Cause cause, Starting starting,
           HealthState& state);

// Outcomes point to a change that the thresholds hold back for now: look again soon.
bool change_pending(const HealthState& state);

// A service's health from that of its probes: up when `needed` of them are up (0: all), down when so many are down that
// this cannot be, else unknown. Without a probe: unknown.
model::Health compose(std::span<const model::Health> probes, std::size_t needed);

}  // namespace probe
