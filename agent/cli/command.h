// How a module adds its subcommands to the command line: main.cc parses, then runs what was chosen.
#pragma once

#include <functional>

namespace CLI {
class App;
}  // namespace CLI

namespace cli {

// Each subcommand leaves here what to do once the line is parsed. Returns the exit code.
using Chosen = std::function<int()>;

}  // namespace cli
