// A time zone's wall clock: which day and hour it is there, and when it will be, also over the days on which an hour is
// missing or comes twice. The only user of Abseil, whose reader of the zone files it is.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace base {

using Day = std::chrono::sys_days;  // of a calendar, without a zone

class TimeZone {
 public:
  TimeZone() = default;  // the machine's: $TZ, or /etc/localtime
  // "Europe/Berlin", from /usr/share/zoneinfo; Kind::not_found if there is none of this name.
  static Result<TimeZone> named(const std::string& name);

  // The calendar day there at `t`.
  Day day(WallTime t) const;
  // Minutes since midnight that a clock there shows at `t`.
  int minute(WallTime t) const;
  // The first and the last instant at which a clock there shows `minute` of `day` (minutes since midnight; 1440 is the
  // next midnight). They differ in the hour that comes twice; in the one that is left out, the first is where it is
  // left out and the last is when the time would have come without that.
  WallTime first(Day day, int minute) const;
  WallTime last(Day day, int minute) const;
  // "04:00 CEST".
  std::string clock(WallTime t) const;
  const std::string& name() const { return name_; }  // "": the machine's

 private:
  std::string name_;
};

}  // namespace base
