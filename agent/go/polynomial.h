// Horner's scheme: the highest power's coefficient first, every step rounded on its own.
#pragma once

#include <cstddef>

namespace go {

template <std::size_t N>
constexpr double polynomial(double x, const double (&coefficients)[N]) {
  double y = coefficients[0];
  for (std::size_t i = 1; i < N; ++i) y = y * x + coefficients[i];
  return y;
}

}  // namespace go
