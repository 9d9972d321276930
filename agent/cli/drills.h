// `fettle drills`, `fettle dr`: which restores are proven, and what a disaster would cost.
#pragma once

#include <string>

#include "cli/status.h"

namespace cli {

// Exit code 1 if the last run of a drill proved no restore.
int run_drills(const StatusOptions& options, const std::string& service);
// Exit code 1 if a service is not as its objectives want it, or its restore is not proven.
int run_dr(const StatusOptions& options);

}  // namespace cli
