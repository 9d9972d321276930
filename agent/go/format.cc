#include "go/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "base/decimal.h"

namespace go {
namespace {

std::string infinite_or_nan(double v) { return std::isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf"; }

// Shortest digits d.ddd and a decimal exponent, as strconv's 'e' with precision -1 has them.
std::string shortest(double v, char verb) {
  char buffer[400];
  const auto in = [&](std::chars_format style) {
    return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, v, style).ptr);
  };
  if (verb == 'e' || verb == 'E') return in(std::chars_format::scientific);
  if (verb == 'f' || verb == 'F') return base::plain_decimal(v);
  const std::string scientific = in(std::chars_format::scientific);
  const int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  return exponent < -4 || exponent >= 6 ? scientific : base::plain_decimal(v);
}

// The mantissa as a whole number and the power of two that it is multiplied by: 4503599627370496p-52 is 1.
std::string binary(double v) {
  const auto bits = std::bit_cast<std::uint64_t>(v);
  const auto exponent = static_cast<int>((bits >> 52) & 0x7ff);
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  const std::uint64_t mantissa = exponent == 0 ? fraction : fraction | (std::uint64_t{1} << 52);
  return fmt::format("{}{}p{:+d}", std::signbit(v) ? "-" : "", mantissa, std::max(exponent, 1) - 1075);
}

// C has one digit of exponent where Go has two.
std::string two_digits_of_exponent(std::string hexadecimal) {
  const std::size_t mark = hexadecimal.find_first_of("pP");
  if (hexadecimal.size() == mark + 3) hexadecimal.insert(mark + 2, "0");
  return hexadecimal;
}

}  // namespace

std::string format_float(double v, char verb, int precision) {
  if (!std::isfinite(v)) return infinite_or_nan(v);
  if (verb == 'v') verb = 'g';
  if (verb == 'b') return binary(v);
  if (verb == 'x' || verb == 'X') verb = verb == 'X' ? 'A' : 'a';
  if (precision < 0 && verb != 'a' && verb != 'A') {
    std::string out = shortest(v, verb);
    if (verb == 'E' || verb == 'G') std::replace(out.begin(), out.end(), 'e', 'E');
    return out;
  }
  const char format[] = {'%', '.', '*', verb, '\0'};
  const char bare[] = {'%', verb, '\0'};
  const bool open = precision < 0;
  const int size = open ? std::snprintf(nullptr, 0, bare, v) : std::snprintf(nullptr, 0, format, precision, v);
  std::string out(static_cast<std::size_t>(size) + 1, '\0');
  if (open) std::snprintf(out.data(), out.size(), bare, v);
  else std::snprintf(out.data(), out.size(), format, precision, v);
  out.pop_back();
  return verb == 'a' || verb == 'A' ? two_digits_of_exponent(std::move(out)) : out;
}

base::Result<double> parse_float(std::string_view text) {
  const auto refused = [&](const char* why) {
    return base::fail(base::Kind::invalid, fmt::format("strconv.ParseFloat: parsing {}: {}", quote(text), why));
  };
  std::string_view digits = text;
  const bool negative = !digits.empty() && digits[0] == '-';
  if (negative || (!digits.empty() && digits[0] == '+')) digits.remove_prefix(1);
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return refused("invalid syntax");
  auto style = std::chars_format::general;
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) {
    if (digits.find_first_of("pP") == std::string_view::npos) return refused("invalid syntax");
    digits.remove_prefix(2);
    style = std::chars_format::hex;
  }
  if (digits.find('(') != std::string_view::npos) return refused("invalid syntax");  // nan(…) is C's
  double v = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v, style);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return refused("invalid syntax");
  if (error == std::errc::result_out_of_range) {
    // Too small is zero in Go, too large an error; from_chars tells both alike.
    v = std::strtod(std::string(text).c_str(), nullptr);
    if (std::isinf(v)) return refused("value out of range");
    return v;
  }
  if (std::isnan(v) && digits.size() < text.size()) return refused("invalid syntax");  // no NaN has a sign in Go
  return negative ? -v : v;
}

}  // namespace go
