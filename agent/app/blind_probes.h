// Tells the log of probes that cannot look: once when that begins and once when it is over. A probe that says nothing
// of its service is a hole that looks like quiet. Loop thread.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "model/outcome.h"
#include "probe/spec.h"

namespace app {

class BlindProbes {
 public:
  void saw(const probe::Spec& spec, const model::Outcome& outcome);  // after each run

 private:
  std::set<std::pair<std::string, std::string>> blind_;  // service and probe whose last run could not look
};

}  // namespace app
