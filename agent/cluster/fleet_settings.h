// `fleet` of the configuration: the store, and how long an agent that is gone keeps what it held.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "cluster/store.h"
#include "config/schema.h"

namespace cluster {

struct FleetSettings {
  std::shared_ptr<const Settings> store;  // null: no fleet is configured
  base::Millis ttl{20'000};
  std::string identity;  // what a reload compares
};

// Null if there is no such key. Mistakes go to `errors`.
FleetSettings parse_fleet(const config::Node& node, config::Errors& errors);
// For the reference.
std::vector<config::KeyReference> fleet_reference();

}  // namespace cluster
