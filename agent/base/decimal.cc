#include "base/decimal.h"

#include <array>
#include <charconv>
#include <cmath>

namespace base {

std::string plain_decimal(double v) {
  std::array<char, 400> buffer;
  const auto written = [&](std::chars_format style) {
    return std::string(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), v, style).ptr);
  };
  // Below, the C++ library's digits are the shortest ones; above, all integers are exact and it prints every digit.
  if (std::abs(v) < 0x1p53) return written(std::chars_format::fixed);
  const std::string scientific = written(std::chars_format::scientific);  // -d.ddde+NN
  const std::size_t e = scientific.find('e');
  const auto exponent = static_cast<std::size_t>(std::stoi(scientific.substr(e + 1)));
  std::string digits = scientific.substr(0, e);
  std::erase(digits, '.');
  const std::size_t sign = v < 0 ? 1 : 0;
  if (digits.size() < sign + exponent + 1) digits.append(sign + exponent + 1 - digits.size(), '0');
  return digits;
}

}  // namespace base
