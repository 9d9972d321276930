// `fettle init`: a first configuration from what runs on this node.
#pragma once

#include <string>

#include "base/output_form.h"
#include "model/agent_defaults.h"

namespace app {

struct InitOptions {
  std::string file = model::kConfigFile;  // "-": standard output
  bool force = false;                     // replace `file`, which is kept as FILE.old
  bool ask = true;                        // connect to ports to find out what speaks there
  base::OutputForm form = base::OutputForm::text;
};

// 0, or 1 with the reason on standard error: the file is there already, cannot be written. What could not be seen is
// told on standard error and stands at the end of the file. As JSON {"file","services","notes"}; with "text", the file,
// where it goes to standard output.
int init(const InitOptions& options);

}  // namespace app
