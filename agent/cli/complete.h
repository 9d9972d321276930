// What may come next on a command line, for the completions of bash, zsh and fish: made from the commands and options
// themselves, and from what the running agent knows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace cli {

// Names that only others know.
enum class Names { groups, services, probes, silences, incidents, alerts, probe_types };
using Lookup = std::function<std::vector<std::string>(Names)>;

// `words`: those behind "fettle"; the last one is not finished. The words that may stand in its place, each whole
// ("--output=json"); {":files"} where a file is wanted.
std::vector<std::string> completions(CLI::App& top, const std::vector<std::string>& words, const Lookup& lookup);

// What the agent on this node knows; nothing if it does not answer. `probe_types` are the program's own.
Lookup ask_for_names(std::vector<std::string> probe_types);

}  // namespace cli
