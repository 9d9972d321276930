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
#include "promql/parser.h"
#include "promql/queryable.h"
#include "promql/remarks.h"
#include "promql/value.h"

namespace promql {

struct EngineOptions {
  Compat compat = Compat::v3;
  std::int64_t lookback_ms = 300'000;
  std::int64_t default_step_ms = 60'000;  // of subqueries without a step: the global evaluation interval
  std::size_t max_samples = 50'000'000;
  base::Millis timeout{120'000};
  // Looked at now and then; true ends the query with Kind::cancelled.
  const std::atomic<bool>* cancelled = nullptr;
  // The same by asking, a few times a second: for what costs a system call. May be empty.
  std::function<bool()> abandoned{};
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
  // Remarks on the last evaluation ("metric might not be a counter …"), each text once. Compat 2 has none.
  const std::vector<Remark>& annotations() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace promql
