// From the first commit of a run to its end: step by step, the waits that a restart would not end, the verification.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "recover/plan/plan.h"
#include "recover/plan/unit_guards.h"

namespace recover {

using Kind = Effect::Kind;

UnitWork Plan::work_on_unit() const {
  const auto first = first_to_heal();
  if (!acts() || run_.non_disruptive || !first) return UnitWork::none;
  if (phase_ == Phase::acting && current_step().action->may_heal()) return UnitWork::acting;
  if (run_.part == Part::finally)  // a run that was stopped leaves the unit to people
    return run_.stop.empty() ? UnitWork::has_acted : UnitWork::none;
  if (run_.step > *first) return UnitWork::has_acted;
  const bool before = run_.step < *first || phase_ == Phase::looking || phase_ == Phase::reacquiring ||
                      phase_ == Phase::waiting || phase_ == Phase::committing;
  return before ? UnitWork::none : UnitWork::has_acted;
}

bool Plan::is_first_to_heal() const {
  return run_.part == Part::steps && !run_.non_disruptive && !run_.by_operator && spec_->first_healing() == run_.step;
}

bool Plan::looks_before() const {
  if (run_.part != Part::steps || run_.non_disruptive || !current_step().action->may_heal()) return false;
  if (run_.only) return !run_.report.actions.empty();
  return !run_.by_operator || run_.step != spec_->first_healing();
}

// The first step of a run that the node's budget does not allow is not reached: its guard is closed.
void Plan::enter_step(const PlanInput& input, Effects& out) {
  const Step& step = current_step();
  if (run_.part == Part::steps)
    if (const auto why = stop_reason(input)) {
      run_.stop = *why;
      if (!run_.report.actions.empty()) return finish(RecoveryState::aborted, input, out);
      run_.outcome = RecoveryState::aborted;  // nothing was done, so there is nothing to give back
      pending_ = usage_;
      return close(input, out);
    }
  if (run_.part == Part::steps && run_.non_disruptive && step.action->may_heal()) {
    const std::vector<Guard> guards = evaluate_guards(*spec_, usage_, input);
    const Guard* cause = first_that_skips_disruption(*spec_, guards);
    if (cause == nullptr) cause = first_closed(guards);
    refuse_step(cause != nullptr ? to_string(*cause) : "it would not have helped", input, out);
    return advance(input, out);
  }
  if (is_barred()) return go_without_slot(input, out);
  if (looks_before() && !progress_.cleared) return look_before_step(input, out);
  // A run that has not begun was asked before.
  if (const Guard guard = step_waits_for(input); running() && !guard.open) return wait_for(guard, input, out);
  const bool heals = run_.part == Part::steps && !run_.by_person() && step.action->may_heal();
  if (heals && !input.node_budget.open) {
    refuse_step(to_string(input.node_budget), input, out);
    return step_failed(input, out);
  }
  if (needs_slot() && slot_ != Slot::held) return acquire(input, out);
  commit_step(out);
}

void Plan::refuse_step(const std::string& text, const PlanInput& input, Effects& out) {
  run_.step_done = true;
  run_.report.actions.push_back({current_step().text, ActionStatus::refused, text, input.wall, {}});
  say(Kind::action_ended, out);
}

// ---- what speaks against an action that may heal

void Plan::look(Phase phase, Look at, Waited own, const PlanInput& input, Effects& out) {
  enter(phase, {.deadline = input.now + kRecheckLimit,
                .watched = input.now,
                .own_missing = own == Waited::yes,
                .look_missing = spec_->first_healing().has_value()});
  good_runs_.clear();
  if (phase_data_.own_missing) out.push_back({Kind::probe_now});
  if (phase_data_.look_missing) out.push_back({at == Look::all ? Kind::look : Kind::look_at_unit});
}

// Time has passed since the run began, for a drain or for a disk. A service that seems to have come back meanwhile must
// show it: then nothing needs to heal it.
void Plan::look_before_step(const PlanInput& input, Effects& out) {
  if (!is_first_to_heal()) return look(Phase::looking, Look::units, Waited::no, input, out);
  if (run_.report.actions.empty())  // nothing was done yet
    return look(Phase::recheck, Look::all, Waited::no, input, out);
  const bool seems_well = run_.was_down && input.health == model::Health::up;
  look(Phase::looking, Look::all, seems_well ? Waited::yes : Waited::no, input, out);
}

// After the first step that may heal, dependencies are no reason any more: they were well when it began. A panic of the
// group is one at every step, also for who has a slot.
std::optional<Guard> Plan::veto(const PlanInput& input) const {
  const bool first = is_first_to_heal();
  for (Guard& guard : evaluate_guards(*spec_, usage_, input)) {
    const bool of_unit = is_of_unit(guard.name);
    if (!guard.open && (of_unit || guard.name == GuardName::stopped_by_operator ||
                        ((guard.name == GuardName::drained_by_operator || guard.name == GuardName::fleet_panic) &&
                         !run_.by_person()) ||
                        guard.name == GuardName::target_busy || guard.name == GuardName::agent_overloaded ||
                        (first && guard.name == GuardName::dependencies)))
      return std::move(guard);
  }
  return std::nullopt;
}

void Plan::heal_unless_vetoed(const PlanInput& input, Effects& out) {
  if (is_barred()) return go_without_slot(input, out);
  const auto guard = veto(input);
  progress_.cleared = !guard;
  if (guard) hold_back(*guard, input, out);
  else enter_step(input, out);
}

// What only passes: another plan at work on the same target, or the agent's own want. Who is told, is told all the
// same.
Guard Plan::step_waits_for(const PlanInput& input) const {
  const Action& action = *current_step().action;
  if (run_.part == Part::steps && rehearses()) return {};
  if (run_.part == Part::steps && action.may_heal() && !input.target.open) return input.target;
  if (run_.part == Part::steps && (action.may_heal() || action.moves_traffic())) return overloaded(input);
  return {};
}

// The end of a wait for what the agent lacks.
void Plan::give_up_waiting(const Guard& guard, const PlanInput& input, Effects& out) {
  run_.stop = fmt::format("{}; so for {}, and nothing more is tried", to_string(guard),
                          base::format_duration(current_step().timeout));
  if (!progress_.acted) usage_ = without_attempt(std::move(usage_));
  finish(RecoveryState::aborted, input, out);
  say_progress(out);
}

void Plan::hold_back(const Guard& guard, const PlanInput& input, Effects& out) {
  if (passes(guard)) return wait_for(guard, input, out);
  if (is_first_to_heal()) return skip_remaining_disruptive_steps(guard, input, out);
  refuse_step(to_string(guard), input, out);
  step_failed(input, out);
  say_progress(out);
}

// What was written down last is the step before, or the intent of this one, which was not carried out.
void Plan::wait_for(const Guard& guard, const PlanInput& input, Effects& out) {
  if (run_.only) {
    refuse_step(to_string(guard), input, out);
    finish(RecoveryState::failed, input, out);
    return say_progress(out);
  }
  enter(Phase::waiting, {.next = input.now + kRetry, .watched = input.now});
  leave_slot(out);
  progress_.cleared = false;
  good_runs_.clear();
  pending_ = usage_;
  if (guard.name == GuardName::agent_overloaded && !progress_.lacks_since) progress_.lacks_since = input.now;
  reason_ = guard.name;
  run_.report.state = RecoveryState::holding;
  run_.report.reason = to_string(guard);
  out.push_back(blocked_by(guard.name));
  say(Kind::report, out);
}

// What has come up may need its time to get ready; then a probe must say that it did not.
void Plan::look_while_waiting(Seen seen, const PlanInput& input, Effects& out) {
  phase_data_.next = input.now + kRetry;
  const auto guard = veto(input);
  if (guard && !passes(*guard)) return hold_back(*guard, input, out);
  if (progress_.lacks_since && input.now >= *progress_.lacks_since + current_step().timeout) {
    const Guard lacks{GuardName::agent_overloaded, false, "the agent had no descriptor or task left for the action"};
    return give_up_waiting(guard ? *guard : lacks, input, out);
  }
  if (!firing_ && !run_.by_operator) {
    finish(RecoveryState::aborted, input, out);
    return say_progress(out);
  }
  const std::vector<Guard> guards = evaluate_guards(*spec_, usage_, input);
  const bool young = std::any_of(guards.begin(), guards.end(),
                                 [](const Guard& other) { return other.name == GuardName::min_uptime && !other.open; });
  // A service without probes has nobody who could say so: its alert is the evidence.
  const bool unseen = seen == Seen::nothing && !spec_->probes.empty();
  if (guard || young || first_closed(input.slots) != nullptr || unseen) {
    if (seen == Seen::nothing) out.push_back({Kind::probe_now});
    return;
  }
  reason_ = GuardName::none;
  run_.report.reason.clear();
  look_before_step(input, out);
}

// In the middle of a run: what heals nothing is still done, once, and then it waits.
void Plan::skip_remaining_disruptive_steps(const Guard& guard, const PlanInput& input, Effects& out) {
  run_.non_disruptive = true;
  pending_ = usage_;
  leave_slot(out);
  out.push_back(blocked_by(guard.name));
  if (progress_.late) hold(input, out);
  else enter_step(input, out);
  say_progress(out);
}

void Plan::commit_step(Effects& out) {
  enter(Phase::committing, {});
  progress_.cleared = false;
  run_.step_done = false;
  run_.report.state = RecoveryState::acting;
  run_.report.reason.clear();
  out.push_back({Kind::commit_intent});
}

void Plan::step_failed(const PlanInput& input, Effects& out) {
  const Step& step = current_step();
  // Nobody said yes: what it was asked for does not follow as an escalation.
  const bool refused = step.on_failure == OnFailure::escalate && step.action->waits_for_person();
  // A load balancer that finds it down itself takes no drain: there is no traffic to lose.
  if (run_.only && step.action->moves_traffic() && input.health == model::Health::down) return advance(input, out);
  const bool last = run_.only && step.on_failure == OnFailure::escalate;
  if (step.on_failure == OnFailure::stop || refused || last) finish(RecoveryState::failed, input, out);
  else advance(input, out);
}

void Plan::advance(const PlanInput& input, Effects& out) {
  if (run_.part == Part::finally) return finally_from(run_.step + 1, input, out);
  if (const std::size_t next = next_step(run_.step + 1); next < spec_->steps.size()) {
    run_.step = next;
    pending_ = usage_;
    enter_step(input, out);
  } else if (run_.non_disruptive) {
    hold(input, out);
  } else if (run_.unverified) {
    verify(Verify{}, After::last_step, input, out);
  } else {
    finish(RecoveryState::failed, input, out);
  }
}

void Plan::hold(const PlanInput& input, Effects& out) {
  enter(Phase::holding, {.next = input.now + kRetry, .watched = input.now});
  leave_slot(out);
  good_runs_.clear();
  run_.report.state = RecoveryState::holding;
  out.push_back({Kind::commit_progress});
  out.push_back({Kind::probe_now});
}

void Plan::look_while_holding(Seen seen, const PlanInput& input, Effects& out) {
  phase_data_.next = input.now + kRetry;
  if (usage_.flapping && spec_->flapping) return;
  const bool healthy = input.health == model::Health::up && all_good(1, input);
  if (!firing_ || (run_.was_down && healthy)) {
    finish(healthy ? RecoveryState::recovered : RecoveryState::aborted, input, out);
    return say_progress(out);
  }
  const std::vector<Guard> guards = evaluate_guards(*spec_, usage_, input);
  if (const Guard* guard = first_closed(guards)) {
    if (guard->name == GuardName::budget || guard->name == GuardName::exhausted) {
      finish(RecoveryState::failed, input, out);
      say_progress(out);
    }
    return;
  }
  if (seen != Seen::bad_run) return out.push_back({Kind::probe_now});
  // What held the restart back is gone, and a probe has said since that the service did not come back with it.
  run_.non_disruptive = false;
  progress_.late = true;
  run_.step = spec_->first_healing().value_or(0);
  spend_attempt(input, out);
}

// The end is reported once, when it is durable: by closed().
void Plan::say_progress(Effects& out) const {
  if (phase_ != Phase::closing) say(Kind::report, out);
}

void Plan::verify(const Verify& wanted, After after, const PlanInput& input, Effects& out) {
  enter(Phase::verifying, {.next = input.now + kReprobe,
                           .deadline = input.now + wanted.within,
                           .watched = input.now,
                           .verify = wanted,
                           .after_last_step = after == After::last_step});
  good_runs_.clear();
  run_.report.state = RecoveryState::verifying;
  out.push_back({Kind::probe_now});
}

bool Plan::all_good(int threshold, const PlanInput& input) const {
  // Probes that are not listed by name (a plan made by hand) are taken as one: the service's health decides then.
  if (spec_->probes.empty())
    return input.health == model::Health::up &&
           std::any_of(good_runs_.begin(), good_runs_.end(), [&](const auto& p) { return p.second >= threshold; });
  return std::all_of(spec_->probes.begin(), spec_->probes.end(), [&](const std::string& name) {
    const auto found = good_runs_.find(name);
    return found != good_runs_.end() && found->second >= threshold;
  });
}

std::string Plan::good_runs_text() const {
  std::string out;
  for (const std::string& name : spec_->probes) {
    const auto found = good_runs_.find(name);
    out += fmt::format("{}{} {} of {}", out.empty() ? "" : ", ", name, found == good_runs_.end() ? 0 : found->second,
                       phase_data_.verify.success_threshold);
  }
  return out;
}

void Plan::verify_failed(const PlanInput& input, Effects& out) {
  run_.unverified = false;
  if (!run_.report.actions.empty()) {
    std::string& text = run_.report.actions.back().text;
    text += fmt::format("{}not healthy within {}{}", text.empty() ? "" : "; ",
                        base::format_duration(phase_data_.verify.within),
                        spec_->probes.empty() ? "" : fmt::format(" (good runs: {})", good_runs_text()));
  }
  if (phase_data_.after_last_step) finish(RecoveryState::failed, input, out);
  else step_failed(input, out);
  say_progress(out);
}

void Plan::finish(RecoveryState outcome, const PlanInput& input, Effects& out) {
  reason_ = GuardName::none;
  run_.outcome = outcome == RecoveryState::failed && rehearses() ? RecoveryState::would_run : outcome;
  run_.part = Part::finally;
  finally_from(0, input, out);
}

// When people have stopped the run, only what moves traffic is left of its end.
void Plan::finally_from(std::size_t step, const PlanInput& input, Effects& out) {
  pending_ = usage_;
  const bool stopped = stop_reason(input).has_value();
  while (step < spec_->finally.size() && stopped && !spec_->finally[step].action->moves_traffic()) ++step;
  run_.step = step;
  if (step < spec_->finally.size()) commit_step(out);
  else close(input, out);
}

// A script or a right is missing, say: no cure was tried.
bool Plan::was_refused() const {
  const auto& actions = run_.report.actions;
  const auto refused = [](const model::ActionReport& a) { return a.result == ActionStatus::refused; };
  const auto tried = [](const model::ActionReport& a) { return a.may_heal && a.result != ActionStatus::refused; };
  return std::any_of(actions.begin(), actions.end(), refused) && std::none_of(actions.begin(), actions.end(), tried);
}

void Plan::close(const PlanInput& input, Effects& out) {
  enter(Phase::closing, {});
  if (run_.non_disruptive) pending_ = usage_;  // it did nothing that a budget or a cooldown would count
  else if (run_.outcome == RecoveryState::recovered) pending_ = with_recovery(usage_, input.now);
  else if (run_.outcome == RecoveryState::failed)
    pending_ = was_refused() ? with_refusal(usage_, spec_->budget, input.now, random_->unit())
                             : with_failure(usage_, spec_->budget, input.now, random_->unit());
  run_.report.state =
      run_.outcome == RecoveryState::failed && pending_.exhausted ? RecoveryState::exhausted : run_.outcome;
  run_.report.reason = run_.outcome == RecoveryState::aborted ? run_.stop : "";
  run_.report.ended = input.wall;
  // As in exhaust(): first told, then written down.
  if (run_.report.state == RecoveryState::exhausted)
    out.push_back({Kind::exhausted, fmt::format("{}: attempt {} of {} failed and was the last one within {}; fettle "
                                                "stops acting until it was healthy for {}",
                                                spec_->service, run_.report.attempt, spec_->budget.attempts,
                                                base::format_duration(spec_->budget.within),
                                                base::format_duration(spec_->budget.backoff.reset_after))});
  out.push_back({Kind::commit_close});
}

void Plan::closed(const PlanInput& input, Effects& out) {
  enter(Phase::idle, {});
  leave_slot(out);
  slot_ = Slot::none;
  const bool shown = std::exchange(progress_.visible, false);
  if (run_.outcome != RecoveryState::aborted || shown) say(Kind::report, out);
  settling_ = run_.outcome == RecoveryState::recovered;
  rehearsed_ = firing_ && run_.outcome == RecoveryState::would_run;
  if (rehearsed_) return;
  if (firing_ && run_.outcome != RecoveryState::aborted) begin(input, Waited::yes, out);
  else settling_ = false;
}

}  // namespace recover
