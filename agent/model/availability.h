// How long a service was up and down, by days for 90 days and by hours for a day. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace model {

// A day or an hour.
struct AvailabilitySpan {
  std::int32_t number = 0;  // of days or hours since 1 January 1970, UTC
  // Milliseconds. planned: down while in maintenance. What is missing to the whole is not known: no verdict, or no
  // agent that ran.
  std::int64_t up = 0, down = 0, planned = 0;

  // Part of the time that is known and not planned; nullopt: there is none.
  std::optional<double> ratio() const {
    return up + down > 0 ? std::optional(static_cast<double>(up) / static_cast<double>(up + down)) : std::nullopt;
  }
};

struct ServiceAvailability {
  static constexpr std::size_t kDays = 90, kHours = 24;  // with today, with this hour

  std::string service;
  std::shared_ptr<const std::vector<AvailabilitySpan>> before;  // oldest first, without today
  AvailabilitySpan today;
  std::shared_ptr<const std::vector<AvailabilitySpan>> hours_before{};  // oldest first, without this one
  AvailabilitySpan this_hour{};
};

}  // namespace model
