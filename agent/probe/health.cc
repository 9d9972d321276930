#include "probe/health.h"

#include <algorithm>
#include <limits>

namespace probe {
namespace {

using model::Health;
using model::Reason;

void count(int& counter) { counter = std::min(counter, std::numeric_limits<int>::max() - 1) + 1; }

}  // namespace

bool judge(const Thresholds& thresholds, const model::Outcome& outcome, Cause cause, HealthState& state) {
  if (outcome.reason == Reason::agent_overloaded) return false;
  const Health before = state.health;
  if (outcome.up) {
    state.failures = 0;
    count(state.successes);
    if (before == Health::unknown || state.successes >= thresholds.success) state.health = Health::up;
  } else {
    state.successes = 0;
    count(state.failures);
    const bool fatal =
        thresholds.fatal.contains(outcome.reason) || (cause == Cause::event && outcome.reason == Reason::refused);
    if (fatal || state.failures >= thresholds.failure) state.health = Health::down;
  }
  return state.health != before;
}

bool change_pending(const HealthState& state) {
  return state.health == Health::down ? state.successes > 0 : state.failures > 0;
}

}  // namespace probe
