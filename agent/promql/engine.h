// Evaluates expressions with Prometheus' answers, bit by bit where Prometheus' own are reproducible.
// Not shared between threads; each thread has its own Engine. Never throws.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "promql/annotations.h"
#include "promql/parser.h"
#include "promql/queryable.h"
#include "promql/value.h"

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

inline constexpr const char* kTooManySamples =
    "query processing would load too many samples into memory in query execution";

// What an expression costs whatever the data are, evaluated at start, start+step … end. `step` 0: at one instant.
struct Price {
  double steps = 0;    // evaluations of the whole and of the insides of subqueries
  double windows = 0;  // of those, how many are looked at again by the functions around subqueries, in all
};
Price price_of(const Expr& expr, std::int64_t start, std::int64_t end, std::int64_t step, const EngineOptions& options);
// A step is looked at this often at most, by the windows that it lies in.
inline constexpr double kWindowsPerStep = 100;
// Kind::limit if it is more than the options allow. An Engine asks this itself; who prepares data for it asks before.
base::Result<> check_price(const Price& price, const EngineOptions& options);

// How many samples an evaluation looked at: in every step once more, as Prometheus counts them; and how many it held in
// memory at a time.
struct SampleCounts {
  std::int64_t queryable = 0, peak = 0;
};

// Errors carry Prometheus' texts: Kind::invalid (execution), timeout, limit, cancelled.
class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  // At one instant (milliseconds). The vector's order is Prometheus'.
  base::Result<Value> instant(const Expr& expr, const Queryable& data, std::int64_t t);
  // At start, start+step … end; always a Matrix, sorted by labels.
  base::Result<Matrix> range(const Expr& expr, const Queryable& data, std::int64_t start, std::int64_t end,
                             std::int64_t step);
  // Annotations on the last evaluation ("metric might not be a counter …"), each text once. Compat 2 has none.
  const std::vector<Annotation>& annotations() const;
  // Of the last evaluation that ended without an error.
  SampleCounts sample_counts() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace promql
