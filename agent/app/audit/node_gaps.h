// What of a node no service of its configuration watches, and what of its services nothing mends. Pure.
#pragma once

#include <vector>

#include "app/audit/finding.h"
#include "app/loaded_config.h"
#include "app/node/found_services.h"

namespace app {

// Not reported: ssh, systemd's own units, fettle itself, ports of the loopback with a number that the kernel gave and
// to which no service is connected, and processes that are clients only.
std::vector<Finding> node_gaps(const NodeView& node, const LoadedConfig& loaded);

}  // namespace app
