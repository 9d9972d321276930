// Gives traffic back to services that were left without it while no run of a plan is under way: an agent that ended in
// the middle, or a run whose undrain failed. Tries until it works. Loop thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/time.h"
#include "loop/scheduler.h"
#include "recover/action.h"
#include "recover/switchboard.h"

namespace recover {

class GiveBack {
 public:
  static constexpr base::Millis kLimit{30'000};  // of one try
  static constexpr base::Millis kAgain{10'000};  // until the next

  // `context` outlives this.
  explicit GiveBack(const Context& context) : context_(context) {}

  // No run is under way for the service: if its traffic is away, it comes back.
  void look(const std::string& service);
  // A run has the traffic in its hands now, or the service is gone.
  void leave(const std::string& service) { turns_.erase(service); }

 private:
  const Context& context_;
  std::map<std::string, loop::Handle> turns_;  // by service: under way, or the next try
};

}  // namespace recover
