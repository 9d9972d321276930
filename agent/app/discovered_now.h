// What the lists of targets of a configuration say now, for the command line: it asks them once and waits.
#pragma once

#include <string>

#include "app/loaded_config.h"

namespace app {

// Adds the probes of all targets, as the agent would probe them. The errors of the lists, a line each. `discoveries` of
// `loaded` are used up.
std::string add_discovered(LoadedConfig& loaded);

}  // namespace app
