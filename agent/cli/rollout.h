// `fettle rollout`: an action on all members of a group of the fleet, batch by batch, over the admin socket. Exit code
// 1 where nothing was begun, and of --status where the rollout is stopped or aborted.
#pragma once

#include "cli/command.h"

namespace cli {

// `chosen` outlives the parsing of the line.
void add_rollout_command(CLI::App& top, Chosen& chosen);

}  // namespace cli
