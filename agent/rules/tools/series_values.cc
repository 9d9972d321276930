#include "rules/tools/series_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <string>

#include "base/ascii.h"
#include "base/number.h"
#include "model/sample.h"

namespace rules {
namespace {

constexpr std::size_t kMaxValues = 10'000'000;
constexpr std::string_view kSpaces = " \t\r\n";

using Values = std::vector<std::optional<double>>;

bool is_word(char c) { return base::is_alphanumeric(c) || c == '_'; }

// Digits (since Prometheus 3 with an underscore between two of them), a fraction, an exponent: how much of the text is
// a number. No hexadecimal: 0x10 is "zero, and ten more of it".
std::size_t number_size(std::string_view text, promql::Compat compat) {
  std::size_t at = 0;
  const auto digit = [text](std::size_t i) { return i < text.size() && base::is_digit(text[i]); };
  const auto digits = [&] {
    while (digit(at) || (at > 0 && at < text.size() && text[at] == '_' && compat != promql::Compat::v2 &&
                         digit(at - 1) && digit(at + 1)))
      ++at;
  };
  digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    digits();
  }
  if (at == 0 || at >= text.size() || (text[at] != 'e' && text[at] != 'E')) return at;
  std::size_t exponent = at + 1;
  if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
  if (exponent >= text.size() || !base::is_digit(text[exponent])) return at;
  at = exponent;
  digits();
  return at;
}

// As Go reads it: 017 is octal.
bool read_number(std::string digits, double& out) {
  std::erase(digits, '_');
  const bool octal = digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of("01234567") == std::string::npos;
  std::int64_t whole = 0;
  if (octal && std::from_chars(digits.data(), digits.data() + digits.size(), whole, 8).ec == std::errc{}) {
    out = static_cast<double>(whole);
    return true;
  }
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, out, std::chars_format::general);
  if (error == std::errc::result_out_of_range) out = std::strtod(digits.c_str(), nullptr);
  return error != std::errc::invalid_argument && stop == end;
}

// A number from the front, with one sign at most; false if none starts here. NaN and Inf are words of their own.
bool take_number(std::string_view& text, double& out, promql::Compat compat) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  std::size_t size = 0;
  if (!rest.empty() && base::is_letter(rest[0])) {
    while (size < rest.size() && is_word(rest[size])) ++size;
    const std::string_view word = rest.substr(0, size);
    if (base::same_word(word, "nan")) out = std::nan("");
    else if (base::same_word(word, "inf")) out = std::numeric_limits<double>::infinity();
    else return false;
  } else {
    size = number_size(rest, compat);
    if (size == 0 || !read_number(std::string(rest.substr(0, size)), out)) return false;
  }
  if (negative) out = -out;
  text = rest.substr(size);
  return true;
}

bool take_times(std::string_view text, std::size_t& n) {
  if (text.empty() || text[0] != 'x') return false;
  text.remove_prefix(1);
  const auto times = base::read_number<std::size_t>(text);
  n = times.value_or(0);
  return times && n < kMaxValues;
}

// What may stand in the braces of a native histogram, before the colon.
bool histogram_key(std::string_view key) {
  constexpr std::string_view kKeys[] = {
      "schema",  "sum",       "count",  "z_bucket", "z_bucket_w",        "custom_values",
      "buckets", "n_buckets", "offset", "n_offset", "counter_reset_hint"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

// {{key:value key:[value value]}} from the front; false if none starts here.
bool take_histogram(std::string_view& text) {
  const auto end = text.find("}}");
  if (!text.starts_with("{{") || end == std::string_view::npos) return false;
  std::string_view inside = text.substr(2, end - 2);
  while (true) {
    inside.remove_prefix(std::min(inside.find_first_not_of(kSpaces), inside.size()));
    if (inside.empty()) break;
    const auto colon = inside.find(':');
    if (colon == std::string_view::npos || !histogram_key(inside.substr(0, colon))) return false;
    inside.remove_prefix(colon + 1);
    const bool list = inside.starts_with('[');
    const auto size = list ? inside.find(']') : std::min(inside.find_first_of(kSpaces), inside.size());
    if (size == std::string_view::npos || size == 0) return false;
    inside.remove_prefix(size + (list ? 1 : 0));
  }
  text.remove_prefix(end + 2);
  return true;
}

// "{{…}}", "{{…}}x3", "{{…}}+{{…}}x3": how many; nothing if it is none of them.
std::optional<std::size_t> take_histograms(std::string_view& text) {
  if (!take_histogram(text)) return std::nullopt;
  const bool steps = text.starts_with('+') || text.starts_with('-');
  if (steps) {
    text.remove_prefix(1);
    if (!take_histogram(text) || !text.starts_with('x')) return std::nullopt;
  }
  std::size_t times = 0;
  const std::string_view rest = text.substr(0, std::min(text.find_first_of(kSpaces), text.size()));
  if (!rest.empty() && !take_times(rest, times)) return std::nullopt;
  text.remove_prefix(rest.size());
  return times + 1;
}

bool item(std::string_view text, Values& out, promql::Compat compat) {
  std::size_t times = 0;
  if (text[0] == '_') {
    if (text.size() == 1) times = 1;
    else if (!take_times(text.substr(1), times)) return false;
    out.insert(out.end(), times, std::nullopt);
    return true;
  }
  double value = 0, step = 0;
  if (text == "stale") {
    value = model::stale_marker();
    text = {};
  } else if (!take_number(text, value, compat)) {
    return false;
  }
  if (!text.empty() && (text[0] == '+' || text[0] == '-') && (!take_number(text, step, compat) || text.empty()))
    return false;
  if (!text.empty() && !take_times(text, times)) return false;
  // Added up step by step as Prometheus does it: 0+0.1x3 is not 0.1 * 3.
  for (std::size_t i = 0; i <= times; ++i) {
    out.emplace_back(value);
    if (!model::is_stale(value)) value += step;
  }
  return true;
}

}  // namespace

base::Result<SeriesValues> parse_series_values(std::string_view text, promql::Compat compat) {
  SeriesValues out;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    if (text.empty()) return out;
    std::string_view rest = text;
    if (const auto histograms = take_histograms(rest)) {
      out.native = true;
      out.values.insert(out.values.end(), *histograms, std::nullopt);
    } else {
      rest = text;
    }
    const std::string_view word = text.substr(0, std::min(text.find_first_of(kSpaces), text.size()));
    if (rest.size() == text.size() && !item(word, out.values, compat))
      return base::fail(
          base::Kind::invalid,
          fmt::format("'{}' is no value of a series: write a number, _ (none), stale, 1x5 (and five more), "
                      "0+10x5 (steps of 10)",
                      word));
    if (out.values.size() > kMaxValues)
      return base::fail(base::Kind::limit, fmt::format("more than {} values", kMaxValues));
    text = rest.size() < text.size() ? rest : text.substr(word.size());
  }
}

bool starts_with_number(std::string_view values) {
  values.remove_prefix(std::min(values.find_first_not_of(kSpaces), values.size()));
  double value = 0;
  return take_number(values, value, promql::Compat::v3);
}

}  // namespace rules
