// The keys that every probe has, whatever its type.
#pragma once

#include <set>
#include <string>

#include "base/time.h"
#include "config/global.h"
#include "model/labels.h"
#include "model/outcome.h"

namespace probe {

struct CommonKeys {
  std::string name;  // "": the type's name
  base::Millis interval = config::Global{}.interval;
  base::Millis timeout = config::Global{}.timeout;
  base::Millis fast_interval{0};  // while a change is pending; 0: a quarter of interval, at least 100 ms
  base::Millis down_interval{0};  // while down and no change is pending; 0: as interval
  double jitter = 0;              // part of the interval, 0 to 0.5
  base::Millis startup_grace{0};  // after the service's start failures count for nothing; 0: none
  int failure_threshold = 3;
  int failure_window = 0;  // runs among which failures are counted; 0: in a row
  int success_threshold = 1;
  // One failure with such a reason is enough. A refused connection right after an event is, too, whatever stands here.
  std::set<model::Reason> fatal_reasons{model::Reason::process_gone, model::Reason::unit_failed,
                                        model::Reason::heartbeat_missed};
  model::Labels labels;  // service's labels are not stamped on samples; these are
};

}  // namespace probe
