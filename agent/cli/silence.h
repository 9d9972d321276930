// `fettle silence`: add, list and expire, in amtool's words. All three go over the admin socket.
#pragma once

#include "cli/command.h"

namespace cli {

// `chosen` outlives the parsing of the line.
void add_silence_commands(CLI::App& top, Chosen& chosen);

}  // namespace cli
