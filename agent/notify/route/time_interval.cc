#include "notify/route/time_interval.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string_view>

#include "base/ascii.h"

namespace notify {
namespace {

using Names = std::vector<std::string_view>;

constexpr int kShortestMonth = 28, kLongestMonth = 31;

const Names& weekday_names() {
  static const Names names{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
  return names;
}
const Names& month_names() {
  static const Names names{"january", "february", "march",     "april",   "may",      "june",
                           "july",    "august",   "september", "october", "november", "december"};
  return names;
}

std::optional<int> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::optional<int> place_in(const Names& names, std::string_view text) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

std::optional<int> weekday(std::string_view text) { return place_in(weekday_names(), text); }

std::optional<int> month(std::string_view text) {
  if (const auto named = place_in(month_names(), text)) return *named + 1;
  const auto counted = number(text);
  return counted && *counted >= 1 && *counted <= 12 ? counted : std::nullopt;
}

std::optional<int> day_of_month(std::string_view text) {
  const auto day = number(text);
  return day && *day != 0 && *day >= -kLongestMonth && *day <= kLongestMonth ? day : std::nullopt;
}

// "22:30" in minutes; 24:00 is the end of the day.
std::optional<int> clock(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0, 1, 3, 4})
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  const int hour = *number(text.substr(0, 2)), minute = *number(text.substr(3));
  if (minute > 59 || hour > 24 || (hour == 24 && minute != 0)) return std::nullopt;
  return hour * 60 + minute;
}

// What makes a range of two words of one kind.
struct Kind {
  std::optional<int> (*member)(std::string_view);
  std::string_view expected;
  bool (*ordered)(NumberRange);
};

bool ascending(NumberRange range) { return range.first <= range.last; }

// A day from the end is at least so far from the beginning.
bool days_ascending(NumberRange range) {
  if (range.first < 0 && range.last > 0) return false;
  const auto earliest = [](int day) { return day < 0 ? kShortestMonth + day : day; };
  return earliest(range.first) <= earliest(range.last);
}

constexpr Kind kWeekdays{weekday, "a day of the week or a range of them, such as monday or monday:friday", ascending};
constexpr Kind kDays{day_of_month, "a day of the month or a range, such as 1:7, 15 or -3:-1 (from the end)",
                     days_ascending};
constexpr Kind kMonths{month, "a month or a range of them, such as may, 5 or june:august", ascending};
constexpr Kind kYears{number, "a year or a range of them, such as 2027 or 2027:2029", ascending};

void read_range(const config::Node& node, const Kind& kind, std::vector<NumberRange>& out, const std::string& path,
                config::Errors& errors) {
  const std::string text = base::lower_case(node.scalar());
  const std::size_t colon = text.find(':');
  const auto first = kind.member(std::string_view(text).substr(0, colon));
  const auto last = colon == std::string::npos ? first : kind.member(std::string_view(text).substr(colon + 1));
  if (!node.is_scalar() || !first || !last) return errors.add(node.mark(), path, config::expected(kind.expected, node));
  const NumberRange range{*first, *last};
  if (!kind.ordered(range))
    return errors.add(node.mark(), path, fmt::format("'{}' ends before it begins", node.scalar()));
  out.push_back(range);
}

config::Schema<TimeInterval>::Reader ranges(NumberRanges TimeInterval::*member, const Kind& kind) {
  return [member, &kind](const config::Node& node, TimeInterval& interval, const std::string& path,
                         config::Errors& errors) {
    node.expose(config::Exposure::shown);
    if (!node.is_sequence()) return errors.add(node.mark(), path, config::expected("a list", node));
    auto& out = (interval.*member).emplace();
    std::size_t at = 0;
    for (const config::Node& item : node.items())
      read_range(item, kind, out, fmt::format("{}[{}]", path, at++), errors);
  };
}

struct Times {
  std::string start_time, end_time;
};

const config::Schema<Times>& times_schema() {
  static const auto schema =
      config::Schema<Times>("times")
          .required("start_time", &Times::start_time, "The first minute, such as 09:00.")
          .required("end_time", &Times::end_time, "The minute after the last one, up to 24:00.")
          .shows({"start_time", "end_time"})
          .check([](const Times& times, const config::Complain& complain) {
            const auto start = clock(times.start_time), end = clock(times.end_time);
            if (!start) complain("start_time", "expected a time of the day such as 09:00");
            if (!end) complain("end_time", "expected a time of the day such as 17:00, at most 24:00");
            if (start && end && *start >= *end)
              complain("end_time", "must be after start_time; write what goes over midnight as two times");
          });
  return schema;
}

void read_times(const config::Node& node, TimeInterval& interval, const std::string& path, config::Errors& errors) {
  if (!node.is_sequence()) return errors.add(node.mark(), path, config::expected("a list", node));
  auto& out = interval.times.emplace();
  std::size_t at = 0;
  for (const config::Node& item : node.items()) {
    const std::size_t before = errors.size();
    const Times times = times_schema().parse(item, fmt::format("{}[{}]", path, at++), errors);
    if (errors.size() == before) out.push_back({*clock(times.start_time), *clock(times.end_time)});
  }
}

void read_location(const config::Node& node, TimeInterval& interval, const std::string& path, config::Errors& errors) {
  node.expose(config::Exposure::shown);
  if (node.scalar() == "Local") {
    interval.location = base::TimeZone();
    return;
  }
  if (auto zone = base::TimeZone::named(node.scalar())) interval.location = *std::move(zone);
  else errors.add(node.mark(), path, zone.error().text + "; write a name such as Europe/Berlin, UTC or Local");
}

const config::Schema<TimeInterval>& interval_schema() {
  static const auto schema =
      config::Schema<TimeInterval>("time interval")
          .custom("times", "Times of the day: [{start_time: \"09:00\", end_time: \"17:00\"}]; the end is not part.",
                  "any", read_times)
          .custom("weekdays", "Days of the week: [\"monday:friday\", sunday].", "any",
                  ranges(&TimeInterval::weekdays, kWeekdays))
          .custom("days_of_month", "Days of the month: [\"1:7\", \"-3:-1\"]; negative ones count from the end.", "any",
                  ranges(&TimeInterval::days_of_month, kDays))
          .custom("months", "Months by name or number: [\"june:august\", 12].", "any",
                  ranges(&TimeInterval::months, kMonths))
          .custom("years", "Years: [\"2027:2029\"].", "any", ranges(&TimeInterval::years, kYears))
          .custom("location", "The time zone, such as Europe/Berlin; Local is the machine's.", "UTC", read_location);
  return schema;
}

bool within(const NumberRanges& ranges, int value) {
  return !ranges || std::any_of(ranges->begin(), ranges->end(),
                                [&](NumberRange r) { return r.first <= value && value <= r.last; });
}

// A range that begins after the end of this month is not in it; one that ends after it ends with it.
bool day_within(const NumberRanges& ranges, std::chrono::year_month_day date) {
  if (!ranges) return true;
  const std::chrono::year_month_day_last end{date.year(), std::chrono::month_day_last{date.month()}};
  const int length = static_cast<int>(static_cast<unsigned>(end.day()));
  const int day = static_cast<int>(static_cast<unsigned>(date.day()));
  return std::any_of(ranges->begin(), ranges->end(), [&](NumberRange r) {
    const int first = r.first < 0 ? length + r.first + 1 : r.first;
    const int last = r.last < 0 ? length + r.last + 1 : r.last;
    return first <= length && first <= day && day <= last;
  });
}

const base::TimeZone& utc() {
  static const base::TimeZone zone = base::TimeZone::named("UTC").value_or(base::TimeZone());
  return zone;
}

}  // namespace

bool TimeInterval::contains(base::WallTime t) const {
  const base::TimeZone& zone = location ? *location : utc();
  const base::Day day = zone.day(t);
  const std::chrono::year_month_day date(day);
  const int minute = zone.minute(t);
  const bool in_times = !times || std::any_of(times->begin(), times->end(),
                                              [&](NumberRange r) { return r.first <= minute && minute < r.last; });
  return in_times && day_within(days_of_month, date) &&
         within(months, static_cast<int>(static_cast<unsigned>(date.month()))) &&
         within(weekdays, static_cast<int>(std::chrono::weekday(day).c_encoding())) &&
         within(years, static_cast<int>(date.year()));
}

bool NamedIntervals::contains(base::WallTime t) const {
  return std::any_of(intervals.begin(), intervals.end(), [&](const TimeInterval& each) { return each.contains(t); });
}

const config::Schema<NamedIntervals>& time_intervals_schema() {
  static const auto schema =
      config::Schema<NamedIntervals>("time_intervals")
          .required("name", &NamedIntervals::name, "Its name, for mute_time_intervals and active_time_intervals.")
          .list("time_intervals", &NamedIntervals::intervals, interval_schema(),
                "When it is: at a time that is in one of these.")
          .place(&NamedIntervals::place)
          .check([](const NamedIntervals& named, const config::Complain& complain) {
            if (named.name.empty()) complain("name", "must not be empty");
          });
  return schema;
}

}  // namespace notify
