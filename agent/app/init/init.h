// `fettle init`: a first configuration from what runs on this node.
#pragma once

#include <string>

#include "model/agent_defaults.h"

namespace app {

struct InitOptions {
  std::string file = model::kConfigFile;  // "-": standard output
  bool force = false;                     // replace `file`, which is kept as FILE.old
  bool ask = true;                        // connect to ports to find out what speaks there
};

// 0, or 1 with the reason on standard error: the file is there already, cannot be written. What could not be seen is
// told on standard error and stands at the end of the file.
int init(const InitOptions& options);

}  // namespace app
