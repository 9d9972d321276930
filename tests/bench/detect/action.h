// From a SIGKILL of a service to the first instruction of its recovery action, through the real agent: pidfd event,
// confirming probe, rule, guards, intent on disk, command.
#pragma once

#include <string>
#include <vector>

#include "bench/detect/agent.h"

namespace bench {

// The recovery command that the agent runs: first of all says when it began, then starts the service anew.
int act(const std::string& folder);

// Milliseconds of each of `runs` kills. `self` is the path of this program, which is the command.
std::vector<double> times_to_action(const std::string& fettle, const std::string& self, const std::string& folder,
                                    const Scheduling& scheduling, int runs);

}  // namespace bench
