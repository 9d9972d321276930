#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace base {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
// In the order in which they may follow each other (Prometheus' common/model.ParseDuration).
constexpr std::array<Unit, 7> kUnits{{{"y", 31'536'000'000},
                                      {"w", 604'800'000},
                                      {"d", 86'400'000},
                                      {"h", 3'600'000},
                                      {"m", 60'000},
                                      {"s", 1'000},
                                      {"ms", 1}}};

tl::unexpected<Error> bad_duration(std::string_view text) {
  return fail(Kind::invalid,
              fmt::format("'{}' is not a duration; write a number and a unit, such as 500ms, 5s or 1h30m", text));
}

bool take_number(std::string_view text, std::size_t& at, int digits, int& out) {
  if (at + static_cast<std::size_t>(digits) > text.size()) return false;
  const char* first = text.data() + at;
  const auto [end, ec] = std::from_chars(first, first + digits, out);
  if (ec != std::errc{} || end != first + digits) return false;
  at += static_cast<std::size_t>(digits);
  return true;
}

bool take_char(std::string_view text, std::size_t& at, char c) {
  if (at >= text.size() || text[at] != c) return false;
  ++at;
  return true;
}

}  // namespace

WallTime wall_from_ms(std::int64_t ms_since_epoch) { return WallTime{Millis{ms_since_epoch}}; }
std::int64_t to_ms(WallTime t) { return t.time_since_epoch().count(); }
double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
double seconds(WallTime t) { return static_cast<double>(to_ms(t)) / 1e3; }

// As many as fit into Go's nanoseconds: 292 years.
constexpr std::int64_t kLongest = std::numeric_limits<std::int64_t>::max() / 1'000'000;

Result<Millis> parse_duration(std::string_view text) {
  if (text == "0") return Millis{0};
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at == end) return bad_duration(text);
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  while (at != end) {
    std::int64_t whole = 0;
    const auto [after, ec] = std::from_chars(at, end, whole);
    if (ec != std::errc{} || whole < 0) return bad_duration(text);
    double fraction = 0;
    const char* p = after;
    if (p != end && *p == '.') {
      const auto parsed = std::from_chars(at, end, fraction, std::chars_format::fixed);
      if (parsed.ec != std::errc{} || at != text.data()) return bad_duration(text);
      fraction -= static_cast<double>(whole);
      p = parsed.ptr;
    }
    const char* unit_end = p;
    while (unit_end != end && *unit_end >= 'a' && *unit_end <= 'z') ++unit_end;
    const std::string_view name(p, static_cast<std::size_t>(unit_end - p));
    std::size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size() || (fraction != 0 && unit_end != end)) return bad_duration(text);
    std::int64_t part = 0;
    if (__builtin_mul_overflow(whole, kUnits[unit].ms, &part) || __builtin_add_overflow(total, part, &total) ||
        total > kLongest)
      return fail(Kind::invalid, fmt::format("duration '{}' is out of range", text));
    total += std::llround(fraction * static_cast<double>(kUnits[unit].ms));
    next_unit = unit + 1;
    at = unit_end;
  }
  return Millis{total};
}

std::string format_duration(Millis d) {
  std::int64_t rest = d.count();
  if (rest == 0) return "0s";
  std::string out = rest < 0 ? "-" : "";
  if (rest < 0) rest = -rest;
  for (const Unit& unit : kUnits) {
    // Years and weeks only when nothing is left over: "30d" reads better than "4w2d".
    const bool exact_only = unit.name == "y" || unit.name == "w";
    if (rest < unit.ms || (exact_only && rest % unit.ms != 0)) continue;
    out += fmt::format("{}{}", rest / unit.ms, unit.name);
    rest %= unit.ms;
  }
  return out;
}

std::string format_iso8601(WallTime t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{t - day};
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) out += fmt::format(".{:03}", time.subseconds().count());
  return out + "Z";
}

Result<WallTime> parse_iso8601(std::string_view text) {
  const auto bad = [&] {
    return fail(
        Kind::invalid,
        fmt::format("'{}' is not a time; write it as 2026-11-23T06:29:45Z or as seconds since the epoch", text));
  };
  std::size_t at = 0;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_number(text, at, 4, year) || !take_char(text, at, '-') || !take_number(text, at, 2, month) ||
      !take_char(text, at, '-') || !take_number(text, at, 2, day) ||
      !(take_char(text, at, 'T') || take_char(text, at, ' ')) || !take_number(text, at, 2, hour) ||
      !take_char(text, at, ':') || !take_number(text, at, 2, minute) || !take_char(text, at, ':') ||
      !take_number(text, at, 2, second))
    return bad();
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad();
  std::int64_t ms = 0;
  if (take_char(text, at, '.')) {
    std::int64_t scale = 100;
    const std::size_t first = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
      ms += (text[at++] - '0') * scale;
      scale /= 10;
    }
    if (at == first) return bad();
  }
  std::chrono::minutes offset{0};
  if (!take_char(text, at, 'Z')) {
    if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return bad();
    const int sign = text[at++] == '+' ? 1 : -1;
    int offset_hours = 0, offset_minutes = 0;
    if (!take_number(text, at, 2, offset_hours) || !take_char(text, at, ':') ||
        !take_number(text, at, 2, offset_minutes))
      return bad();
    offset = std::chrono::minutes{sign * (offset_hours * 60 + offset_minutes)};
  }
  if (at != text.size()) return bad();
  return WallTime{std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
                  std::chrono::seconds{second} + Millis{ms} - offset};
}

}  // namespace base
