// The slot of a run. Asked for between the recheck and the first commit; a run that waits for a person, for a unit or
// for what a restart does not mend gives it back, and asks again before the next step that interrupts the service.
//
// A slot that is lost while the run acts is not asked for again. What has begun comes to its end and is verified;
// steps that interrupt the service, and those that would ask a person for one, are refused; people are still told, and
// what was drained is given back. The run ends as what the probes find, and if the service still needs recovery, the
// next run asks for a slot of its own.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "recover/plan/plan.h"

namespace recover {

using Kind = Effect::Kind;

bool Plan::needs_slot() const {
  if (run_.part != Part::steps || run_.non_disruptive || run_.report.mode != RecoveryMode::enforce) return false;
  if (running()) return current_step().action->disrupts();
  return std::any_of(spec_->steps.begin(), spec_->steps.end(), [](const Step& s) { return s.action->disrupts(); });
}

bool Plan::is_barred() const {
  return slot_ == Slot::lost && run_.part == Part::steps &&
         (current_step().action->disrupts() || current_step().action->waits_for_person());
}

void Plan::ask_slot(Effects& out) {
  slot_ = Slot::asked;
  out.push_back({Kind::acquire_slot});
}

// One that was lost stays so for the rest of the run.
void Plan::leave_slot(Effects& out) {
  if (slot_ != Slot::asked && slot_ != Slot::held) return;
  slot_ = Slot::none;
  out.push_back({Kind::release_slot});
}

// A run that has not begun spends its attempt with its first commit, not while it waits here.
void Plan::acquire(const PlanInput& input, Effects& out) {
  if (!running()) pending_ = usage_;
  enter(running() ? Phase::reacquiring : Phase::acquiring, {.deadline = input.now + kSlotLimit, .watched = input.now});
  if (slot_ != Slot::asked) ask_slot(out);
}

Effects Plan::slot(const SlotAnswer& answer, const PlanInput& input) {
  Effects out;
  if (slot_ != Slot::asked) return out;
  if (answer.kind != SlotAnswer::Kind::yes) {
    slot_refused(answer.guard, input, out);
    return out;
  }
  slot_ = Slot::held;
  run_.fence = answer.fence;
  slot_given(input, out);
  return out;
}

// Time has passed: what allowed the step is asked once more, without a probe.
void Plan::slot_given(const PlanInput& input, Effects& out) {
  if (phase_ == Phase::acquiring) {
    phase_data_.deadline.reset();
    if (!run_.by_operator) return consider(input, out);
    const std::vector<Guard> guards = evaluate_guards(*spec_, usage_, input);
    if (const Guard* closed = closed_to_starter(guards)) slot_refused(*closed, input, out);
    else spend_attempt(input, out);
  } else if (phase_ == Phase::reacquiring && !stops(input, out)) {
    if (looks_before()) heal_unless_vetoed(input, out);
    else enter_step(input, out);
  }
}

void Plan::slot_refused(const Guard& guard, const PlanInput& input, Effects& out) {
  leave_slot(out);
  if (phase_ == Phase::acquiring) {
    if (run_.by_operator) give_up_start(input, out);
    else block(guard, input, out);
  } else if (phase_ == Phase::reacquiring) {
    if (progress_.late) skip_remaining_disruptive_steps(guard, input, out);
    else wait_for(guard, input, out);
  }
}

// Nothing was done. A person who started the run is told; an alert that fires still wants its recovery.
void Plan::give_up_start(const PlanInput& input, Effects& out) {
  pending_ = usage_;
  drop(input, out);
  if (firing_) begin(input, Waited::yes, out);
}

void Plan::slot_silent(const PlanInput& input, Effects& out) {
  Guard guard{GuardName::node_busy, false,
              fmt::format("no answer within {} whether a slot is free", base::format_duration(kSlotLimit))};
  if (!input.slots.empty()) guard.name = input.slots.front().name;
  slot_refused(guard, input, out);
}

Effects Plan::slot_lost(const Guard& why, const PlanInput&) {
  Effects out;
  if (slot_ != Slot::held) return out;
  slot_ = Slot::lost;
  lost_ = {why.name, false, "the slot was lost: " + why.text};
  if (phase_ == Phase::closing || run_.part == Part::finally) return out;
  run_.report.reason = to_string(lost_);
  if (progress_.visible) say(Kind::report, out);
  return out;
}

// on_failure of the step is not asked: what earlier steps have done must still be verified.
void Plan::go_without_slot(const PlanInput& input, Effects& out) {
  if (run_.report.actions.empty()) {  // nothing was done, so there is nothing to give back
    run_.stop = to_string(lost_);
    run_.outcome = RecoveryState::aborted;
    pending_ = usage_;
    return close(input, out);
  }
  refuse_step(to_string(lost_), input, out);
  advance(input, out);
}

}  // namespace recover
