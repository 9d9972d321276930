#include "encoding/shortest_number.h"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

std::string ours(double v) {
  std::array<char, encoding::kMostOfNumber> text{};
  return {text.data(), encoding::write_shortest(text.data(), v)};
}

std::string standard(double v) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), v).ptr};
}

void check_all(const std::vector<double>& values) {
  std::size_t wrong = 0;
  for (const double v : values) {
    if (ours(v) == standard(v)) continue;
    if (++wrong <= 3) CHECK(ours(v) == standard(v));
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("numbers look as they do to people") {
  struct Row {
    double value;
    const char* want;
  };
  for (const Row& row : {Row{0, "0"}, Row{-0.0, "-0"}, Row{1, "1"}, Row{-1, "-1"}, Row{0.25, "0.25"}, Row{200, "200"},
                         Row{99'999, "99999"}, Row{100'000, "1e+05"}, Row{1'764'458'000.123, "1764458000.123"},
                         Row{0.000312137, "0.000312137"}, Row{0.00001, "1e-05"}, Row{1.0 / 3, "0.3333333333333333"},
                         Row{1e22, "1e+22"}, Row{5e-324, "5e-324"}, Row{0.1 + 0.2, "0.30000000000000004"}})
    CHECK(ours(row.value) == row.want);
}

TEST_CASE("a number is written as the standard library writes it") {
  std::vector<double> values{std::numeric_limits<double>::max(),
                             std::numeric_limits<double>::min(),
                             std::numeric_limits<double>::denorm_min(),
                             999'999.9999999999,
                             1e6 - 1e-9,
                             1e15,
                             1e12,
                             999'999'999'999.999,
                             1e15 - 1,
                             0.0000000005,
                             0.0000000015};
  // Powers of ten and their neighbours, of every size.
  for (int exponent = -30; exponent <= 30; ++exponent)
    for (const double factor : {1.0, 1.5, 2.0, 9.9, 9.99999, 1.23456789}) {
      const double v = factor * std::pow(10.0, exponent);
      values.insert(values.end(), {v, std::nextafter(v, 0), std::nextafter(v, 1e300)});
    }
  std::mt19937_64 random(7);
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t bits = random();
    values.push_back(static_cast<double>(bits >> (bits % 64)));                     // whole
    values.push_back(static_cast<double>(bits >> (14 + bits % 50)) / 1e9);          // nanoseconds
    values.push_back(static_cast<double>(bits >> (20 + bits % 44)) / 1e3);          // milliseconds
    values.push_back(static_cast<double>(bits >> 32) / std::pow(10.0, bits % 12));  // decimals
    values.push_back(static_cast<double>(bits >> 40) * std::pow(10.0, bits % 12));  // many zeros
    values.push_back(static_cast<double>(bits) / 1.8446744073709552e19);            // any between 0 and 1
    if (const double any = std::bit_cast<double>(bits); std::isfinite(any)) values.push_back(any);
  }
  check_all(values);
  for (double& v : values) v = -v;
  check_all(values);
}
