// `fettle standbys`: who is the primary of each hot standby, and why no other one is.
#pragma once

#include <string>

#include "cli/status.h"

namespace cli {

// Exit code 1 if a condition is not met for what would be done.
int run_standbys(const StatusOptions& options, const std::string& service);

}  // namespace cli
