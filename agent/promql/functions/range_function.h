// Functions of a window of samples, and the node that calls one for every series.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <string_view>

#include "promql/ast.h"
#include "promql/node.h"

namespace promql {

struct RangeCall {
  double first = 0;  // the scalar arguments, in their order
  double second = 0;
  std::int64_t t = 0;  // evaluation time
  RangeSource::Bounds bounds{};
  Edges edges = Edges::plain;
  Compat compat = Compat::v3;
  std::string problem;  // a kernel that returns false may say why; that ends the query
};

// The window is never empty. False: no value for this series.
using RangeKernel = bool (*)(RangeCall& call, std::span<const model::Sample> window, double& out);

struct RangeFunction {
  std::string_view name;
  RangeKernel kernel;
  bool keeps_name = false;
};

// Null if there is none of this name; the third looks in both.
const RangeFunction* find_rate_function(std::string_view name);
const RangeFunction* find_over_time_function(std::string_view name);
const RangeFunction* find_range_function(std::string_view name);

// Where annotations point: at the range, and at the first scalar argument.
struct RangeCallPlaces {
  std::size_t range = 0;
  std::size_t first = 0;
};
NodePtr make_range_call(const RangeFunction& function, RangeSourcePtr source, NodePtr first, NodePtr second,
                        RangeCallPlaces places);
NodePtr make_absent_over_time(RangeSourcePtr source, model::Labels labels);

// Adds to a sum that carries its rounding error along (Neumaier). In 3.x the error is dropped once the sum is infinite.
inline void add_exactly(double increment, double& sum, double& error) {
  const double t = sum + increment;
  if (std::abs(sum) >= std::abs(increment)) error += (sum - t) + increment;
  else error += (increment - t) + sum;
  sum = t;
}

inline void add_exactly_v3(double increment, double& sum, double& error) {
  add_exactly(increment, sum, error);
  if (std::isinf(sum)) error = 0;
}

// The mean as Prometheus 3 computes it: an exact sum, or, once that overflows, a running mean.
class Mean {
 public:
  void add(double v);
  double value() const;

 private:
  double count_ = 0;
  double sum_ = 0;
  double mean_ = 0;
  double error_ = 0;
  bool running_ = false;
};

// The q-quantile with linear interpolation, NaN counted as smallest; reorders the values.
double quantile(double q, std::vector<double>& values);

}  // namespace promql
