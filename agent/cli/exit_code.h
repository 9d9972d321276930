// The exit codes of all commands. Besides: `fettle probe` ends as a Nagios plugin does, and --lint-fatal with 3, as
// promtool does.
#pragma once

#include "base/result.h"

namespace cli {

inline constexpr int kFinding = 1;  // a mistake, a failed test, a service that is down, a refusal
inline constexpr int kUsage = 2;    // the line is wrong
inline constexpr int kAway = 3;     // no agent answers

// Of a question that was not answered as it should be.
inline int exit_code_of(const base::Error& error) {
  return error.kind == base::Kind::unavailable || error.kind == base::Kind::protocol ? kAway : kFinding;
}

}  // namespace cli
