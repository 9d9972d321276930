// Tells the log of probes that cannot look: when that begins and when it is over, of each probe once a minute at most.
// A probe that says nothing of its service is a hole that looks like quiet. Loop thread.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "base/time.h"
#include "model/outcome.h"
#include "probe/spec.h"

namespace app {

class BlindProbes {
 public:
  void saw(const probe::Spec& spec, const model::Outcome& outcome, base::Instant now);  // after each run

 private:
  struct Hole {
    base::Instant told{};
    bool open = false;  // told, and not over
  };
  std::map<std::pair<std::string, std::string>, Hole> holes_;  // by service and probe
};

}  // namespace app
