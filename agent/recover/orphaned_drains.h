// Gives traffic back to services that were left without it while no run of a plan is under way: an agent that ended in
// the middle, a run whose undrain failed, a plan or a traffic that is not configured any more. Tries until it works,
// and tells of it as a recovery of its own. Loop thread.
#pragma once

#include <map>
#include <string>

#include "base/random.h"
#include "base/time.h"
#include "loop/handle.h"
#include "model/action_report.h"
#include "recover/action.h"
#include "recover/reports.h"
#include "recover/traffic/traffic_controller.h"

namespace recover {

class OrphanedDrains {
 public:
  static constexpr base::Millis kLimit{30'000};  // of one try
  static constexpr base::Millis kAgain{10'000};  // until the next

  // All outlive this.
  OrphanedDrains(const Context& context, Reports& reports, base::Random& random)
      : context_(context), reports_(reports), random_(random) {}

  // No run is under way for the service: if its traffic is away, it comes back.
  void check(const std::string& service);
  void check_once(const std::string& service) {
    if (!undrains_.contains(service)) check(service);
  }
  // A run has the traffic in its hands now, or its places are others.
  void forget(const std::string& service) { undrains_.erase(service); }

 private:
  struct Undrain {
    model::RecoveryReport report;
    loop::Handle handle{};  // under way, or the next try
  };

  void attempt(const std::string& service);
  void ended(const std::string& service, base::Instant began, const ActionResult& result);

  const Context& context_;
  Reports& reports_;
  base::Random& random_;
  std::map<std::string, Undrain> undrains_;  // by service
};

}  // namespace recover
