// Who speaks in a fleet: a service on a node. Pure.
#pragma once

#include <string>

namespace cluster {

struct Identity {
  std::string node, service;
  bool operator==(const Identity&) const = default;
};

// "order on node3", for a person: other agents wrote it.
std::string named(const Identity& who);

}  // namespace cluster
