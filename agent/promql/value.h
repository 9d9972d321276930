// What an expression evaluates to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/labels.h"
#include "model/sample.h"

namespace promql {

enum class ValueType { scalar, vector, matrix, string };

std::string_view to_string(ValueType type);  // as in the API's resultType

struct ScalarValue {
  std::int64_t t = 0;
  double v = 0;
};
struct StringValue {
  std::int64_t t = 0;
  std::string v;
};
struct VectorSample {
  model::Labels labels;
  model::Sample sample;
};
using Vector = std::vector<VectorSample>;
struct Series {
  model::Labels labels;
  std::vector<model::Sample> samples;
};
using Matrix = std::vector<Series>;

using Value = std::variant<ScalarValue, Vector, Matrix, StringValue>;

ValueType type_of(const Value& value);

// Shortest decimal that reads back the same; "+Inf", "-Inf", "NaN"; exponent form below 1e-6 and from 1e21 on, as the
// Prometheus API prints sample values.
std::string format_value(double v);

}  // namespace promql
