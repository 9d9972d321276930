// Durations for people.
#pragma once

#include <string>

#include "base/time.h"

namespace base {

// As format_duration(), in whole seconds from 10 s on: "4s200ms", "12s".
std::string format_rounded(Millis d);

}  // namespace base
