// What of a service's traffic is not as it should be at rest: the durable record of a drain or a slow start, and of how
// the places were configured, so that an agent that finds no traffic for the service can still give it back. Pure.
#pragma once

#include <set>
#include <string>

#include "base/time.h"

namespace recover {

struct DrainRecord {
  bool drained = false;
  base::Millis slow_start{0};                // under way
  std::set<std::string> externally_drained;  // texts of places that were out already: they are not fettle's to put back
  std::string settings;                      // TrafficSpec::text

  bool nothing() const { return !drained && slow_start.count() == 0; }
  std::string to_json() const;
};

// A record that cannot be read counts as drained: what it was about is given back.
DrainRecord parse_drain_record(const std::string& text);

}  // namespace recover
