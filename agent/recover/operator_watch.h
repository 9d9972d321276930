// What people have done by hand to what a plan works on, where another program knows it: a container that was stopped,
// a server that was taken out of its load balancer. Nobody tells of it, so it is asked for before an action, and what
// was answered counts for a while. What systemd knows of units has UnitWatch. Loop thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "recover/action.h"
#include "recover/plan/guard.h"
#include "recover/plan/plan_spec.h"
#include "recover/recheck.h"

namespace recover {

class OperatorWatch {
 public:
  static constexpr base::Millis kCounts{10'000};  // what was answered; then it is asked for again

  // Questions for a Recheck; this outlives it. `acted`: when a plan last began to work on the service, so that what was
  // stopped then was not stopped by people.
  std::vector<Recheck::Question> questions(const Context& context, const PlanSpec& spec,
                                           std::optional<base::WallTime> acted);
  // What was answered last, into `stopped`, `drained` and `asked_again`.
  void tell(PlanInput& input) const;

 private:
  struct Answer {
    std::string text;  // "" if nobody did anything
    base::Instant at{};
  };
  static std::optional<std::string> counting(const std::optional<Answer>& answer, PlanInput& input);

  std::optional<Answer> stopped_, drained_;
};

}  // namespace recover
