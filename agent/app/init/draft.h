// The text of the configuration that `fettle init` writes.
#pragma once

#include <string>
#include <vector>

#include "app/node/found_services.h"
#include "app/node/probe_choice.h"

namespace app {

struct DraftService {
  FoundService found;
  std::vector<std::string> depends_on;
  std::vector<ChosenProbe> probes;  // of its ports
};

struct Draft {
  std::string node, file;  // of the comment above it
  std::vector<DraftService> services;
  std::vector<std::string> notes;  // what was left out or not seen: comments at the end
};

// Plans are in mode dry_run, of units only.
std::string draft_text(const Draft& draft);

}  // namespace app
