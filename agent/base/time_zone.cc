#include "base/time_zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>
#include <fmt/format.h>

namespace base {
namespace {

// Abseil keeps what it has read.
absl::TimeZone zone_of(const std::string& name) {
  absl::TimeZone zone;
  if (name.empty() || !absl::LoadTimeZone(name, &zone)) return absl::LocalTimeZone();
  return zone;
}

absl::Time absl_time(WallTime t) { return absl::FromUnixMillis(to_ms(t)); }
WallTime wall_time(absl::Time t) { return wall_from_ms(absl::ToUnixMillis(t)); }

absl::TimeZone::TimeInfo at_minute(const std::string& name, Day day, int minute) {
  const auto civil = absl::CivilDay(1970, 1, 1) + day.time_since_epoch().count();
  return zone_of(name).At(absl::CivilMinute(civil) + minute);
}

}  // namespace

Result<TimeZone> TimeZone::named(const std::string& name) {
  absl::TimeZone zone;
  if (name.empty() || !absl::LoadTimeZone(name, &zone))
    return fail(Kind::not_found, fmt::format("there is no time zone '{}' in /usr/share/zoneinfo", name));
  TimeZone out;
  out.name_ = name;
  return out;
}

Day TimeZone::day(WallTime t) const {
  return Day{std::chrono::days{absl::ToCivilDay(absl_time(t), zone_of(name_)) - absl::CivilDay(1970, 1, 1)}};
}

int TimeZone::minute(WallTime t) const {
  const absl::CivilMinute there = absl::ToCivilMinute(absl_time(t), zone_of(name_));
  return there.hour() * 60 + there.minute();
}

WallTime TimeZone::first(Day day, int minute) const {
  const auto info = at_minute(name_, day, minute);
  return wall_time(info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre);
}

WallTime TimeZone::last(Day day, int minute) const {
  const auto info = at_minute(name_, day, minute);
  return wall_time(info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.pre : info.post);
}

std::string TimeZone::clock(WallTime t) const { return absl::FormatTime("%H:%M %Z", absl_time(t), zone_of(name_)); }

}  // namespace base
