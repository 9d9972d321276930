// What an Engine is made with: whose answers, and how much one evaluation may cost.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/time.h"
#include "promql/compat.h"

namespace promql {

struct EngineOptions {
  Compat compat = Compat::v3;
  std::int64_t lookback_ms = 300'000;
  std::int64_t default_step_ms = 60'000;  // of subqueries without a step: the global evaluation interval
  std::size_t max_samples = 50'000'000;
  // Steps of the range and of all subqueries together, whether they find something or not: more are refused before the
  // first of them.
  std::size_t max_steps = 10'000'000;
  base::Millis timeout{120'000};
  base::Instant (*now)() = [] { return base::Instant(base::Clock::now()); };
  // Looked at now and then; true ends the query with Kind::cancelled.
  const std::atomic<bool>* cancelled = nullptr;
  // The same by asking, a few times a second: for what costs a system call. May be empty.
  std::function<bool()> abandoned{};
  // Told how many bytes of samples and label sets the evaluation holds, whenever that is more than it was told; false
  // ends it with Kind::limit. May be empty.
  std::function<bool(std::size_t bytes)> reserve{};
};

}  // namespace promql
