// A backtest: rule groups evaluated over samples of the past, through the same groups, alert states and templates as in
// the agent, each group on its own interval. Says which alerts would have been pending and firing when, and keeps the
// series that the rules would have written. Pure: time is that of the samples.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "promql/queryable.h"
#include "rules/manager.h"

namespace rules {

struct ReplayOptions {
  Options rules;  // evaluation_interval is that of groups without their own
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;  // the last evaluation is at or before it
};

// One alert from its first evaluation that held to its end.
struct Episode {
  std::string group;
  model::Labels labels;
  model::Labels annotations;  // as people would have been told: when it began to fire; of a pending one the first
  double value = 0;           // of the same evaluation
  base::WallTime pending_from{};
  std::optional<base::WallTime> firing_from;
  std::optional<base::WallTime> ended_at;  // resolved, or no longer pending; none: still active at the end
};

// An error of a rule, the same ones counted once.
struct ReplayError {
  std::string group, rule, text;
  std::size_t times = 0;
  base::WallTime first{}, last{};
};

struct Replayed {
  std::vector<Episode> episodes;                        // in order of pending_from
  std::vector<promql::MemoryQueryable::Entry> written;  // ALERTS, ALERTS_FOR_STATE, recordings; sorted, with markers
  std::vector<ReplayError> errors;
  std::size_t groups = 0;
  std::size_t evaluations = 0;  // of groups
  std::size_t replaced = 0;     // series of the samples that these rules write themselves; they were left out
};

// Leaves out the series that these groups write themselves, as they stand in the samples of a run of theirs. How many.
std::size_t leave_out_written(const std::vector<CompiledGroupPtr>& groups,
                              std::vector<promql::MemoryQueryable::Entry>& samples);

Replayed replay(std::vector<CompiledGroupPtr> groups, std::vector<promql::MemoryQueryable::Entry> samples,
                const ReplayOptions& options);

}  // namespace rules
