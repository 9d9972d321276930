// Durations in the texts of guards.
#pragma once

#include <string>

#include "base/time.h"

namespace recover {

// As base::format_duration(), rounded up to whole seconds from 2 s on. "0s" for what is negative.
inline std::string wait_text(base::Duration d) {
  if (d <= base::Duration{}) return "0s";
  const auto exact = std::chrono::ceil<base::Millis>(d);
  return base::format_duration(
      exact < std::chrono::seconds{2} ? exact : base::Millis{std::chrono::ceil<std::chrono::seconds>(d)});
}

}  // namespace recover
