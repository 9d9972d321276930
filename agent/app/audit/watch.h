// Which of a node's services the services of a configuration are, and which of their ports have a probe. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/loaded_config.h"
#include "app/node/found_services.h"

namespace app {

// What a probe looks at, by its target as pages show it.
struct Watched {
  std::string host;                  // in the form of Host::text; "": any address of this node
  std::vector<std::uint16_t> ports;  // empty: no port
  std::string unit;                  // "": none
};
Watched watched_by(const std::string& target);

// What it is made from must outlive it.
class Watch {
 public:
  Watch(const NodeView& node, const FoundServices& found, const LoadedConfig& loaded);

  // Services of the configuration that a found one is: by unit, else by the probes of its ports, else by name. Several
  // if that leaves more than one. Empty: none.
  const std::vector<std::string>& services_of(const FoundService& found) const;
  // Whether a probe of any service goes to the port.
  bool probes(const FoundPort& port) const;

 private:
  struct Place {
    std::string host;
    std::uint16_t port = 0;
  };
  struct Known {
    std::string name;
    std::set<std::string> units;
    std::vector<Place> places;
  };

  void read(const LoadedConfig& loaded);
  bool goes_to(const Place& place, const FoundPort& port) const;
  bool has_port_of(const Known& known, const FoundService& found) const;
  void assign(const FoundServices& found);

  const NodeView& node_;
  std::vector<Known> known_;                                  // in order of the configuration
  std::map<std::string, std::vector<std::string>> services_;  // by name of the found one
};

}  // namespace app
