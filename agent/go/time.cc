#include <fmt/format.h>

#include <array>
#include <cmath>

#include "go/format.h"

namespace go {
namespace {

constexpr std::array<const char*, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                 "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<const char*, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};

struct Civil {
  explicit Civil(base::WallTime t) {
    const auto day_start = std::chrono::floor<std::chrono::days>(t);
    date = std::chrono::year_month_day(day_start);
    weekday = std::chrono::weekday(day_start).c_encoding();
    year_day = (day_start - std::chrono::sys_days(date.year() / std::chrono::January / 1)).count() + 1;
    const auto in_day = (t - day_start).count();
    ms = static_cast<int>(in_day % 1000);
    second = static_cast<int>(in_day / 1000 % 60);
    minute = static_cast<int>(in_day / 60'000 % 60);
    hour = static_cast<int>(in_day / 3'600'000);
  }
  std::chrono::year_month_day date;
  unsigned weekday;
  long year_day;
  int hour, minute, second, ms;

  int year() const { return static_cast<int>(date.year()); }
  unsigned month() const { return static_cast<unsigned>(date.month()); }
  unsigned day() const { return static_cast<unsigned>(date.day()); }
};

// .000 keeps zeros, .999 drops them; `layout` starts at the dot. Returns how much of the layout was taken.
std::size_t fraction(std::string_view layout, const Civil& c, std::string& out) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',') || (layout[1] != '0' && layout[1] != '9')) return 0;
  std::size_t n = 1;
  while (n < layout.size() && layout[n] == layout[1]) ++n;
  if (n < layout.size() && layout[n] >= '0' && layout[n] <= '9') return 0;
  std::string digits = fmt::format("{:03d}000000", c.ms).substr(0, std::min<std::size_t>(n - 1, 9));
  if (layout[1] == '9')
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
  if (!digits.empty()) out += layout[0] + digits;
  return n;
}

struct Token {
  std::string_view text;
  std::string (*print)(const Civil&);
};

// Longer ones first where one starts with another.
const Token kTokens[] = {
    {"January", [](const Civil& c) { return std::string(kMonths[c.month() - 1]); }},
    {"Jan", [](const Civil& c) { return std::string(kMonths[c.month() - 1]).substr(0, 3); }},
    {"Monday", [](const Civil& c) { return std::string(kDays[c.weekday]); }},
    {"Mon", [](const Civil& c) { return std::string(kDays[c.weekday]).substr(0, 3); }},
    {"MST", [](const Civil&) { return std::string("UTC"); }},
    {"2006", [](const Civil& c) { return fmt::format("{:04d}", c.year()); }},
    {"Z07:00", [](const Civil&) { return std::string("Z"); }},
    {"Z0700", [](const Civil&) { return std::string("Z"); }},
    {"-07:00", [](const Civil&) { return std::string("+00:00"); }},
    {"-0700", [](const Civil&) { return std::string("+0000"); }},
    {"-07", [](const Civil&) { return std::string("+00"); }},
    {"002", [](const Civil& c) { return fmt::format("{:03d}", c.year_day); }},
    {"01", [](const Civil& c) { return fmt::format("{:02d}", c.month()); }},
    {"02", [](const Civil& c) { return fmt::format("{:02d}", c.day()); }},
    {"03", [](const Civil& c) { return fmt::format("{:02d}", (c.hour + 11) % 12 + 1); }},
    {"04", [](const Civil& c) { return fmt::format("{:02d}", c.minute); }},
    {"05", [](const Civil& c) { return fmt::format("{:02d}", c.second); }},
    {"06", [](const Civil& c) { return fmt::format("{:02d}", c.year() % 100); }},
    {"15", [](const Civil& c) { return fmt::format("{:02d}", c.hour); }},
    {"PM", [](const Civil& c) { return std::string(c.hour >= 12 ? "PM" : "AM"); }},
    {"pm", [](const Civil& c) { return std::string(c.hour >= 12 ? "pm" : "am"); }},
    {"_2", [](const Civil& c) { return fmt::format("{:2d}", c.day()); }},
    {"1", [](const Civil& c) { return fmt::format("{}", c.month()); }},
    {"2", [](const Civil& c) { return fmt::format("{}", c.day()); }},
    {"3", [](const Civil& c) { return fmt::format("{}", (c.hour + 11) % 12 + 1); }},
    {"4", [](const Civil& c) { return fmt::format("{}", c.minute); }},
    {"5", [](const Civil& c) { return fmt::format("{}", c.second); }},
};

}  // namespace

std::string time_format(base::WallTime t, std::string_view layout) {
  const Civil c(t);
  std::string out;
  while (!layout.empty()) {
    std::size_t taken = fraction(layout, c, out);
    if (taken == 0) {
      for (const Token& token : kTokens) {
        if (layout.substr(0, token.text.size()) != token.text) continue;
        out += token.print(c);
        taken = token.text.size();
        break;
      }
    }
    if (taken == 0) {
      out += layout[0];
      taken = 1;
    }
    layout.remove_prefix(taken);
  }
  return out;
}

std::string time_string(base::WallTime t) { return time_format(t, "2006-01-02 15:04:05.999999999 -0700 MST"); }

std::string duration_string(std::int64_t ns) {
  if (ns == 0) return "0s";
  const bool negative = ns < 0;
  const auto n = negative ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  const auto decimal = [](std::uint64_t whole, std::uint64_t unit, int digits) {
    std::string text = fmt::format("{}.{:0{}d}", whole / unit, whole % unit, digits);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text;
  };
  std::string out = negative ? "-" : "";
  if (n < 1000) return out + fmt::format("{}ns", n);
  if (n < 1'000'000) return out + decimal(n, 1000, 3) + "µs";
  if (n < 1'000'000'000) return out + decimal(n, 1'000'000, 6) + "ms";
  const std::uint64_t seconds = n / 1'000'000'000;
  if (seconds >= 3600) out += fmt::format("{}h", seconds / 3600);
  if (seconds >= 60) out += fmt::format("{}m", seconds / 60 % 60);
  return out + decimal(n % 60'000'000'000, 1'000'000'000, 9) + "s";
}

}  // namespace go
