// Runs that people start or let go on: by hand, or as a part of a rollout. The latter does the steps that heal nothing
// and come before its one step, such as drain, that step with its verification, and `finally`. It does not escalate,
// and does not wait in the middle: it fails, and the rollout stops.

#include "recover/plan/plan.h"

namespace recover {

using Kind = Effect::Kind;

Effects Plan::start(const std::string& trigger, const PlanInput& input, std::optional<std::size_t> only) {
  Effects out;
  if (progress_.visible) {  // what waited is over: this run stands for it
    run_.report.state = RecoveryState::aborted;
    run_.report.reason = only ? "a rollout began instead" : "started by a person instead";
    run_.report.ended = input.wall;
    say(Kind::report, out);
  }
  new_run(trigger, input);
  run_.by_operator = true;
  run_.only = only;
  run_.step = next_step(0);
  if (spec_->mode == RecoveryMode::ask) run_.report.mode = RecoveryMode::enforce;  // this is the approval
  spend_attempt(input, out);
  return out;
}

Effects Plan::approve(const std::string& who, const PlanInput& input) {
  if (phase_ != Phase::asking) return {};
  phase_ = Phase::acting;
  phase_data_.deadline.reset();
  return action_done({ActionStatus::ok, "approved by " + who}, input.wall - phase_data_.action_started, input);
}

std::optional<std::size_t> Plan::first_to_heal() const {
  return run_.only && under_way() && *run_.only < spec_->steps.size() ? run_.only : spec_->first_healing();
}

// The first from `from` on that the run does; behind all of them: none.
std::size_t Plan::next_step(std::size_t from) const {
  if (!run_.only) return from;
  for (std::size_t i = from; i <= *run_.only && i < spec_->steps.size(); ++i) {
    const Action& action = *spec_->steps[i].action;
    if (i == *run_.only || (!action.may_heal() && !action.waits_for_person())) return i;
  }
  return spec_->steps.size();
}

const Guard* Plan::closed_to_starter(const std::vector<Guard>& guards) const {
  return run_.only ? first_closed_to_rollout(guards) : first_closed_to_person(guards);
}

}  // namespace recover
