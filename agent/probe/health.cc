#include "probe/health.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace probe {
namespace {

using model::Health;
using model::Reason;

void count(int& counter) { counter = std::min(counter, std::numeric_limits<int>::max() - 1) + 1; }

// Failures that count towards the threshold.
int counted_failures(const Thresholds& thresholds, const HealthState& state) {
  if (thresholds.window == 0) return state.failures;
  const std::uint64_t within = ~std::uint64_t{0} >> (kLongestWindow - thresholds.window);
  return std::popcount(state.recent_failures & within);
}

}  // namespace

bool judge(const Thresholds& thresholds, const model::Outcome& outcome, Cause cause, Starting starting,
           HealthState& state) {
  if (outcome.reason == Reason::agent_overloaded) return false;
  const bool fatal = thresholds.fatal.contains(outcome.reason);
  if (!outcome.up && starting == Starting::yes && !fatal) return false;
  const Health before = state.health;
  state.recent_failures = state.recent_failures << 1 | (outcome.up ? 0U : 1U);
  if (outcome.up) {
    state.failures = 0;
    count(state.successes);
    if (before == Health::unknown || state.successes >= thresholds.success) state.health = Health::up;
    if (before == Health::down && state.health == Health::up) state.recent_failures = 0;
  } else {
    state.successes = 0;
    count(state.failures);
    const bool enough = fatal || (cause == Cause::event && outcome.reason == Reason::refused) ||
                        counted_failures(thresholds, state) >= thresholds.failure;
    if (enough) state.health = Health::down;
  }
  return state.health != before;
}

bool change_pending(const HealthState& state) {
  return state.health == Health::down ? state.successes > 0 : state.failures > 0;
}

Health compose(std::span<const Health> probes, std::size_t needed) {
  if (probes.empty()) return Health::unknown;
  if (needed == 0) needed = probes.size();
  const auto up = static_cast<std::size_t>(std::count(probes.begin(), probes.end(), Health::up));
  const auto down = static_cast<std::size_t>(std::count(probes.begin(), probes.end(), Health::down));
  if (up >= needed) return Health::up;
  return probes.size() - down < needed ? Health::down : Health::unknown;
}

}  // namespace probe
