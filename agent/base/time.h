// The two clocks and how durations and instants are written. Durations run on the monotonic clock, samples and pages
// are in wall time; both come in as parameters, so that a test can lie about them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;
using Duration = Clock::duration;
using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Millis>;

WallTime wall_from_ms(std::int64_t ms_since_epoch);
std::int64_t to_ms(WallTime t);

double seconds(Duration d);
double seconds(WallTime t);  // since the Unix epoch

// "1h30m", "500ms", "1d": one or more integers with units in the order y w d h m s ms, each once; also "1.5s" with one
// unit, as Go writes it. A bare number other than 0 is refused.
Result<Millis> parse_duration(std::string_view text);
// The shortest exact form in the same units: 90000 ms is "1m30s", 0 is "0s".
std::string format_duration(Millis d);

// For people: 2026-11-23T06:29:45.123Z (RFC 3339, UTC, milliseconds only if there are any).
std::string format_iso8601(WallTime t);
Result<WallTime> parse_iso8601(std::string_view text);

}  // namespace base
