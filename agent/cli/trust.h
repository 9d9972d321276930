// `fettle trust`: whether the plan of a service may act by itself, in plain words.
#pragma once

#include <string>

#include "cli/status.h"

namespace cli {

// 0: switch it on, or leave it on. 1: wait, or do not. 2 and 3 as all that ask an agent.
int run_trust(const StatusOptions& options, const std::string& service);

}  // namespace cli
