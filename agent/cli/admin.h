// Commands that change something, over the admin socket only: `fettle reload`, `maintenance`, `recover` and `ack`.
#pragma once

#include "cli/command.h"

namespace cli {

// `chosen` outlives the parsing of the line.
void add_admin_commands(CLI::App& top, Chosen& chosen);

}  // namespace cli
