// Times as they are written on a command line.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cli {

// RFC 3339, seconds since the epoch, or -5m: so long before `now`; to milliseconds.
base::Result<std::int64_t> parse_time(const std::string& text, std::int64_t now);
// The same for the API of an agent: seconds for -5m, every other text as it is.
std::string api_time(const std::string& text, std::int64_t now);
// A duration (30s), or seconds; to milliseconds, more than none.
base::Result<std::int64_t> parse_step(const std::string& text);

}  // namespace cli
