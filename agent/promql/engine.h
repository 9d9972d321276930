// Evaluates expressions with Prometheus' answers, bit by bit where Prometheus' own are reproducible.
// Not shared between threads; each thread has its own Engine. Never throws.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "promql/annotations.h"
#include "promql/engine_options.h"
#include "promql/parser.h"
#include "promql/queryable.h"
#include "promql/value.h"

namespace promql {

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
