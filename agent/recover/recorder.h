// What is gathered of a fault before an action changes what there is to see. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "loop/handle.h"

namespace recover {

class Recorder {
 public:
  virtual ~Recorder() = default;
  // A run is about to begin. Once more for the same run is nothing.
  virtual void begin(const std::string& service, const std::string& recovery) = 0;
  // Empty: nothing is being gathered for the service. Else `done` comes once, in a later turn, at the latest when the
  // recorder's budget is over, which began with begin(). Dropping the Handle silences it.
  virtual loop::Handle wait(const std::string& service, std::function<void()> done) = 0;
};

}  // namespace recover
