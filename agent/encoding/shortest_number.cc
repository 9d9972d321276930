#include "encoding/shortest_number.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace encoding {
namespace {

constexpr std::uint64_t kMostDigits = 1'000'000'000'000'000;  // 15 digits are less

// `digits` times ten to the power of -`scale`; digits are not 0 and do not end with one.
char* write_decimal(char* to, std::uint64_t digits, int scale) {
  std::array<char, 20> text;
  const int count = static_cast<int>(std::to_chars(text.data(), text.data() + text.size(), digits).ptr - text.data());
  const int exponent = count - 1 - scale;  // of the first digit
  const auto put = [&](const char* from, int size) {
    std::memcpy(to, from, static_cast<std::size_t>(size));
    to += size;
  };
  const auto zeros = [&](int size) {
    std::memset(to, '0', static_cast<std::size_t>(size));
    to += size;
  };
  // Of the two ways of writing it the shorter one counts, and without an exponent if both are as long.
  const int scientific = count + (count > 1 ? 1 : 0) + 4;
  const int fixed = exponent < 0 ? 1 - exponent + count : exponent >= count - 1 ? exponent + 1 : count + 1;
  if (scientific < fixed) {
    put(text.data(), 1);
    if (count > 1) {
      *to++ = '.';
      put(text.data() + 1, count - 1);
    }
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    const int size = exponent < 0 ? -exponent : exponent;  // below 100
    *to++ = static_cast<char>('0' + size / 10);
    *to++ = static_cast<char>('0' + size % 10);
  } else if (exponent < 0) {
    put("0.", 2);
    zeros(-exponent - 1);
    put(text.data(), count);
  } else if (exponent >= count - 1) {
    put(text.data(), count);
    zeros(exponent - count + 1);
  } else {
    put(text.data(), exponent + 1);
    *to++ = '.';
    put(text.data() + exponent + 1, count - exponent - 1);
  }
  return to;
}

}  // namespace

char* write_shortest(char* to, double v) {
  if (v == 0 && !std::signbit(v)) return *to = '0', to + 1;
  const double size = std::fabs(v);
  // Nanoseconds of what was measured, milliseconds of a time of day. Two decimals of up to 15 digits are never the same
  // double: one that reads back as `v` is the shortest.
  const int scale = size < 1e6 ? 9 : 3;
  const double power = size < 1e6 ? 1e9 : 1e3;
  const double scaled = size * power;
  if (v == 0 || !(scaled < static_cast<double>(kMostDigits))) return std::to_chars(to, to + kMostOfNumber, v).ptr;
  auto digits = static_cast<std::uint64_t>(scaled + 0.5);
  if (digits == 0 || digits >= kMostDigits || static_cast<double>(digits) / power != size)
    return std::to_chars(to, to + kMostOfNumber, v).ptr;
  int left = scale;
  // Most are whole, or have many digits.
  if (digits % 1000 == 0) {
    for (; digits % 1'000'000 == 0; digits /= 1'000'000) left -= 6;
    for (; digits % 1000 == 0; digits /= 1000) left -= 3;
  }
  for (; digits % 10 == 0; digits /= 10) --left;
  if (std::signbit(v)) *to++ = '-';
  return write_decimal(to, digits, left);
}

}  // namespace encoding
