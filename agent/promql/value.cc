#include "promql/value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/decimal.h"

namespace promql {

std::string_view to_string(ValueType type) {
  switch (type) {
    case ValueType::scalar: return "scalar";
    case ValueType::vector: return "vector";
    case ValueType::matrix: return "matrix";
    case ValueType::string: return "string";
  }
  return "";
}

ValueType type_of(const Value& value) {
  switch (value.index()) {
    case 0: return ValueType::scalar;
    case 1: return ValueType::vector;
    case 2: return ValueType::matrix;
    default: return ValueType::string;
  }
}

std::string format_value(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  const double magnitude = std::abs(v);
  const bool exponent = magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21);
  if (!exponent) return base::plain_decimal(v);
  std::array<char, 64> buffer;
  return {buffer.data(),
          std::to_chars(buffer.data(), buffer.data() + buffer.size(), v, std::chars_format::scientific).ptr};
}

}  // namespace promql
