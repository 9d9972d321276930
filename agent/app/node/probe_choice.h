// Which probe fits a port: by the program that listens there, by the port, and by asking it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/node/found_services.h"

namespace app {

// As spec_from_arguments() and a mapping of the configuration have it.
struct ChosenProbe {
  std::string type;
  std::vector<std::pair<std::string, std::string>> keys;  // without name and type
};

// Those that may fit, the best first; the last is tcp, which fits every port.
std::vector<ChosenProbe> candidates(const std::string& program, const FoundPort& port);
// Without asking: the best one that needs no login, if the program or the port is known; else tcp.
ChosenProbe guess(const std::string& program, const FoundPort& port);

struct PortOfProgram {
  std::string program;
  FoundPort port;
};
// Runs the candidates of each port, one after the other until one is up; all ports at the same time, at most two
// seconds for each run. What answers HTTP with another status than 2xx is probed for that status.
std::vector<ChosenProbe> choose_by_asking(const std::vector<PortOfProgram>& ports);

}  // namespace app
