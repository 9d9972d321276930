// Commands that ask the running agent and change nothing: query, rules, status, alerts, fleet, explain, incidents,
// incident, recoveries. Over the admin socket if it is there; --url names another agent.
#pragma once

#include "cli/command.h"

namespace cli {

// `chosen` outlives the parsing of the line.
void add_reading_commands(CLI::App& top, Chosen& chosen);

}  // namespace cli
