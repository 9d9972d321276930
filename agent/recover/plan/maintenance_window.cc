#include "recover/plan/maintenance_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "config/node.h"

namespace recover {
namespace {

constexpr int kDay = 24 * 60;
constexpr std::array<std::string_view, 7> kDays{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

std::optional<std::size_t> day_of(std::string_view text) {
  const auto found = std::find(kDays.begin(), kDays.end(), base::lower_case(text));
  if (found == kDays.end()) return std::nullopt;
  return static_cast<std::size_t>(found - kDays.begin());
}

// "Mon-Fri,Sun". A range may go over the end of the week.
bool read_days(std::string_view text, std::bitset<7>& days) {
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t dash = part.find('-');
    const auto first = day_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day_of(part.substr(dash + 1));
    if (!first || !last) return false;
    for (std::size_t d = *first;; d = (d + 1) % 7) {
      days.set(d);
      if (d == *last) break;
    }
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

// "02:00" in minutes, -1 if it is no time; 24:00 is the end of the day.
int read_clock(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] - '0'; };
  if (text.size() != 5 || text[2] != ':') return -1;
  for (const std::size_t i : {0, 1, 3, 4})
    if (digit(i) < 0 || digit(i) > 9) return -1;
  const int hour = digit(0) * 10 + digit(1), minute = digit(3) * 10 + digit(4);
  if (minute > 59 || hour > 24 || (hour == 24 && minute != 0)) return -1;
  return hour * 60 + minute;
}

}  // namespace

base::Result<MaintenanceWindow> MaintenanceWindow::parse(std::string_view text) {
  MaintenanceWindow window;
  window.text_ = text;
  const std::size_t blank = text.rfind(' ');
  const std::string_view clocks = blank == std::string_view::npos ? text : text.substr(blank + 1);
  bool ok = true;
  if (blank == std::string_view::npos) window.days_.set();
  else ok = read_days(text.substr(0, blank), window.days_);
  const std::size_t dash = clocks.find('-');
  const int from = read_clock(clocks.substr(0, dash));
  const int to = dash == std::string_view::npos ? -1 : read_clock(clocks.substr(dash + 1));
  if (!ok || from < 0 || to < 0 || from == to || from == kDay)
    return base::fail(base::Kind::invalid,
                      fmt::format("'{}' is no window; write days and times as in \"Sun 02:00-04:00\", \"Mon-Fri "
                                  "22:00-06:00\" or \"02:00-04:00\"",
                                  text));
  window.from_ = from;
  window.to_ = to > from ? to : to + kDay;
  return window;
}

std::optional<base::WallTime> MaintenanceWindow::open_until(base::WallTime now, const base::TimeZone& zone) const {
  const base::Day today = zone.day(now);
  for (const base::Day day : {today - std::chrono::days{1}, today}) {
    if (!days_.test(std::chrono::weekday(day).c_encoding())) continue;
    // The end is a time of the next day where it goes over midnight: that day may be a longer or a shorter one.
    const base::WallTime end = to_ > kDay ? zone.last(day + std::chrono::days{1}, to_ - kDay) : zone.last(day, to_);
    if (now >= zone.first(day, from_) && now < end) return end;
  }
  return std::nullopt;
}

bool is_within(const std::vector<MaintenanceWindow>& windows, base::WallTime now) {
  return std::any_of(windows.begin(), windows.end(), [&](const MaintenanceWindow& window) {
    return window.open_until(now, base::TimeZone()).has_value();
  });
}

std::vector<MaintenanceWindow> read_windows(const config::Node& node, const std::string& path, config::Errors& errors) {
  std::vector<MaintenanceWindow> out;
  const auto read = [&](const config::Node& item, const std::string& item_path) {
    if (auto window = MaintenanceWindow::parse(item.scalar())) out.push_back(*std::move(window));
    else errors.add(item.mark(), item_path, window.error().text);
  };
  if (!node.is_sequence()) return read(node, path), out;
  std::size_t index = 0;
  for (const config::Node& item : node.items()) read(item, fmt::format("{}[{}]", path, index++));
  return out;
}

}  // namespace recover
