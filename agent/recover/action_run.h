// The one action that a run of a plan carries out at a time: what it is told, its deadline, and its end, also when it
// never answers. A dry run goes the same way and touches nothing. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/time.h"
#include "loop/handle.h"
#include "model/health.h"
#include "recover/action.h"
#include "recover/plan/plan.h"

namespace recover {

class ActionRun {
 public:
  // Beyond its deadline an action is given up, whatever it does.
  static constexpr base::Millis kGrace{15'000};

  using Done = std::function<void(ActionResult result, base::Duration took)>;

  // Starts plan.current_step(); `done` once, in a later turn, never after stop(). `context` lives until then.
  // `stopped`: as Trigger has it; a step that people do not want any more by now is refused.
  void start(const Context& context, const Plan& plan, const std::string& node, model::Health health,
             std::function<std::optional<std::string>()> stopped, Done done);
  bool under_way() const { return static_cast<bool>(action_); }
  void stop();

 private:
  void ended(const Context& context, ActionResult result);

  loop::Handle action_, limit_;
  base::Instant started_{};
  Done done_;
  base::KnownSecrets secrets_;  // of the step
};

}  // namespace recover
