// How long a service was up and down on each day, for 90 days. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace model {

struct AvailabilityDay {
  std::int32_t day = 0;  // since 1 January 1970, UTC
  // Milliseconds. planned: down while in maintenance. What is missing to the whole day is not known: no verdict, or no
  // agent that ran.
  std::int64_t up = 0, down = 0, planned = 0;

  // Part of the time that is known and not planned; nullopt: there is none.
  std::optional<double> ratio() const {
    return up + down > 0 ? std::optional(static_cast<double>(up) / static_cast<double>(up + down)) : std::nullopt;
  }
};

struct ServiceAvailability {
  static constexpr std::size_t kDays = 90;  // with today

  std::string service;
  std::shared_ptr<const std::vector<AvailabilityDay>> before;  // oldest first, without today
  AvailabilityDay today;
};

}  // namespace model
