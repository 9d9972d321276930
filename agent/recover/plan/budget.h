// How much of its budget a service has used: attempts within the window, failures in a row and the backoff that follows
// from them, the latch of exhaustion. Pure: time and chance are parameters. Instants are monotonic while the agent
// runs; the durable form is in wall time, so that budgets survive a crash and a clock that jumps does not refill them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "recover/plan/plan_spec.h"

namespace recover {

struct BudgetUsage {
  std::vector<base::Instant> attempts;        // oldest first; those outside the window are dropped when one is added
  int failures = 0;                           // failed runs in a row
  std::optional<base::Instant> not_before;    // end of the backoff after the last failure
  std::optional<base::Instant> recovered_at;  // end of the last run that recovered; the cooldown starts here
  bool exhausted = false;
  std::vector<base::Instant> transitions;  // of the service's health, as far as flapping needs them
  bool flapping = false;                   // latched
  std::string aborted{};                   // by whom: nothing more is done for the alert that fires; "": not so
};

int attempts_left(const Budget& budget, const BudgetUsage& usage, base::Instant now);
// When the oldest attempt of a full window leaves it; nullopt while one is free.
std::optional<base::Instant> next_free(const Budget& budget, const BudgetUsage& usage, base::Instant now);

// initial * factor^(failures - 1), at most max, spread by ± jitter; `chance` is in [0, 1). Zero without a failure.
base::Duration backoff_delay(const Backoff& backoff, int failures, double chance);

BudgetUsage with_attempt(BudgetUsage usage, const Budget& budget, base::Instant now);
// The newest one was spent and nothing was done with it.
BudgetUsage without_attempt(BudgetUsage usage);
BudgetUsage with_recovery(BudgetUsage usage, base::Instant now);
// Nothing could be tried: the attempt is given back. The next one waits as after a failure.
BudgetUsage with_refusal(BudgetUsage usage, const Budget& budget, base::Instant now, double chance);
// Latches exhaustion when no attempt is left.
BudgetUsage with_failure(BudgetUsage usage, const Budget& budget, base::Instant now, double chance);

// After reset_after of health the backoff starts anew and the latch opens. The window is not cleared: no more than
// `attempts` in any `within`, so the latch also waits until one is free. nullopt if there is nothing to reset.
std::optional<base::Instant> reset_at(const Budget& budget, const BudgetUsage& usage, base::Instant healthy_since);
BudgetUsage reset(BudgetUsage usage);
// A person says that the cause is mended: the whole budget is there again, and an abort is over. The cooldown stays.
BudgetUsage acknowledged(BudgetUsage usage);

// The service's health changed. Latches when `limit` is reached within its window.
BudgetUsage with_transition(BudgetUsage usage, const Flapping& limit, base::Instant now);
// When a latched one has been calm for the whole window.
std::optional<base::Instant> calm_at(const Flapping& limit, const BudgetUsage& usage);
BudgetUsage calmed(BudgetUsage usage);

std::string to_json(const BudgetUsage& usage, base::Instant now, base::WallTime wall);
// Instants in the future (the wall clock went back while the agent was down) become `now`.
base::Result<BudgetUsage> parse_usage(const std::string& json, base::Instant now, base::WallTime wall);
// For a service without a record whose earlier attempts are not known: all but one were used at `at`.
BudgetUsage all_but_one_used(const Budget& budget, base::Instant at);
// For a record that cannot be read: everything was used just now. A damaged record must not open the guard.
BudgetUsage all_used(const Budget& budget, base::Instant now);

}  // namespace recover
