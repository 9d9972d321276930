// Times of the week and the year as Alertmanager writes them (time_intervals of its configuration, version 0.25): when
// a route notifies or does not. Pure. A field that is not given holds at any time; one that is given must hold, and
// holds with one of its ranges. Without a location the time is UTC, as there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/time_zone.h"
#include "config/schema.h"

namespace notify {

struct NumberRange {
  int first = 0, last = 0;  // both belong to it; of times, the last minute does not
  bool operator==(const NumberRange&) const = default;
};
using NumberRanges = std::optional<std::vector<NumberRange>>;

struct TimeInterval {
  NumberRanges times;          // minutes of the day
  NumberRanges weekdays;       // Sunday is 0
  NumberRanges days_of_month;  // negative: from the end, -1 is the last day
  NumberRanges months, years;
  std::optional<base::TimeZone> location;

  bool contains(base::WallTime t) const;
};

struct NamedIntervals {
  std::string name;
  std::vector<TimeInterval> intervals;
  config::Node place;

  bool contains(base::WallTime t) const;
};

const config::Schema<NamedIntervals>& time_intervals_schema();

}  // namespace notify
