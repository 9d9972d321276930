// A mapping with keys that stand elsewhere in the configuration, as those of Alertmanager's `global`. Loading thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/node.h"

namespace config {

// `mapping` with each of these values under a key that it does not have itself; null ones are left out. Places stay: a
// mistake in a value is shown where the value stands.
Node with_defaults(const Node& mapping, const std::vector<std::pair<std::string, Node>>& defaults);

}  // namespace config
