// What of a node's services a first configuration has: ports that are not too many, dependencies without a circle.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "app/init/draft.h"
#include "app/node/found_services.h"

namespace app {

struct FirstServices {
  std::vector<DraftService> services;  // without probes
  std::vector<std::string> left_out;   // a sentence each: units that were left out, circles, ports that are too many
};

FirstServices first_services(FoundServices found);

}  // namespace app
