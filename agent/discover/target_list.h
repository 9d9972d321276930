// What one list of a source says: a file, a query of a catalogue. The last good answer counts until the next one. Loop
// thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "discover/target.h"

namespace discover {

struct TargetList {
  std::string name;                           // for people, and the label `source`: a path, a URL
  std::vector<Target> targets{};              // of the last good answer, each once
  std::optional<base::WallTime> refreshed{};  // when that came
  std::string error{};                        // why what is there now is not what counts, a mistake a line; "" if it is
  std::optional<base::WallTime> failing_since{};

  // A good answer, or a failed one: what it said before goes on. True if targets or error are others than before, which
  // the log then has.
  // `missing`: what a good answer does not have, a mistake a line.
  bool take(std::vector<Target> found, base::WallTime now, std::string missing = "");
  bool keep(std::string why, base::WallTime now);
};

}  // namespace discover
