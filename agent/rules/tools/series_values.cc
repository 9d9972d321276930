#include "rules/tools/series_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/number.h"
#include "model/sample.h"

namespace rules {
namespace {

constexpr std::size_t kMaxValues = 10'000'000;

using Values = std::vector<std::optional<double>>;

// A number from the front, with an optional sign; false if none starts here.
bool take_number(std::string_view& text, double& out) {
  std::string_view rest = text;
  bool negative = false;
  while (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative ^= rest[0] == '-';
    rest.remove_prefix(1);
  }
  // Hexadecimal is left out on purpose: 0x10 is "zero, and ten more of it".
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out, std::chars_format::general);
  if (error == std::errc::invalid_argument) return false;
  if (error == std::errc::result_out_of_range) out = std::strtod(std::string(rest).c_str(), nullptr);
  if (negative) out = -out;
  text = rest.substr(static_cast<std::size_t>(end - rest.data()));
  return true;
}

bool take_times(std::string_view text, std::size_t& n) {
  if (text.empty() || text[0] != 'x') return false;
  text.remove_prefix(1);
  const auto times = base::read_number<std::size_t>(text);
  n = times.value_or(0);
  return times && n < kMaxValues;
}

bool item(std::string_view text, Values& out) {
  std::size_t times = 0;
  if (text[0] == '_') {
    if (text.size() == 1) times = 1;
    else if (!take_times(text.substr(1), times)) return false;
    out.insert(out.end(), times, std::nullopt);
    return true;
  }
  double value = 0, step = 0;
  if (text.substr(0, 5) == "stale") {
    value = model::stale_marker();
    text.remove_prefix(5);
  } else if (!take_number(text, value)) {
    return false;
  }
  if (!text.empty() && (text[0] == '+' || text[0] == '-') && (!take_number(text, step) || text.empty())) return false;
  if (!text.empty() && !take_times(text, times)) return false;
  // Added up step by step as Prometheus does it: 0+0.1x3 is not 0.1 * 3.
  for (std::size_t i = 0; i <= times; ++i) {
    out.emplace_back(value);
    if (!model::is_stale(value)) value += step;
  }
  return true;
}

}  // namespace

base::Result<Values> parse_series_values(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  Values out;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    if (text.empty()) return out;
    const std::string_view word = text.substr(0, std::min(text.find_first_of(kSpaces), text.size()));
    if (!item(word, out))
      return base::fail(
          base::Kind::invalid,
          fmt::format("'{}' is no value of a series: write a number, _ (none), stale, 1x5 (and five more), "
                      "0+10x5 (steps of 10)",
                      word));
    if (out.size() > kMaxValues) return base::fail(base::Kind::limit, fmt::format("more than {} values", kMaxValues));
    text.remove_prefix(word.size());
  }
}

}  // namespace rules
