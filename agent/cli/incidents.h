// `fettle incidents` and `fettle incident ID`: what went wrong on the node, as a list and as a story. Exit code 0 if
// nothing is wrong now, 1 if an incident is open, 3 if the agent does not answer.
#pragma once

#include <string>

#include "cli/status.h"

namespace cli {

// `service`: only those of it; "": of all.
int run_incidents(const StatusOptions& options, const std::string& service);
// `id`: or the beginning of one, if no other one begins so.
int run_incident(const StatusOptions& options, const std::string& id);
// What was gathered of its faults before anything was done. Exit code 0 if there is something, 1 if not.
int run_evidence(const StatusOptions& options, const std::string& id);

// Runs of plans, the newest first, each with its actions.
int run_recoveries(const StatusOptions& options, const std::string& service);

}  // namespace cli
