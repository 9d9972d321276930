// From the alert to the first commit of a run, and back to rest: guards, budgets, people who are asked.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "recover/plan/plan.h"

namespace recover {

using Kind = Effect::Kind;

void Plan::new_run(const std::string& trigger, const PlanInput& input) {
  run_ = Run{};
  if (firing_) run_.alert = alert_;
  run_.report.id = random_->identifier();
  run_.report.service = spec_->service;
  run_.report.trigger = trigger;
  run_.report.mode = spec_->mode;
  run_.report.started = input.wall;
  progress_ = {};
  good_runs_.clear();
  reason_ = GuardName::none;
}

void Plan::begin(const PlanInput& input, Waited waited, Effects& out) {
  new_run(fmt::format("alert {}", alert_.name()), input);
  run_.was_down = was_down_;
  progress_.waited = waited;
  consider(input, out);
}

void Plan::consider(const PlanInput& input, Effects& out) {
  const std::vector<Guard> guards = evaluate_guards(*spec_, usage_, input);
  const Guard* guard = first_closed(guards);
  const Guard* cause = guard != nullptr ? first_that_skips_disruption(*spec_, guards) : nullptr;
  if (guard != nullptr && cause == nullptr) {
    leave_slot(out);
    if (guard->name != GuardName::budget) return block(*guard, input, out);
    // People are not told that it gave up before it is known that something is wanted: after a restart, say.
    const auto unknown = std::find_if(guards.begin(), guards.end(),
                                      [](const Guard& g) { return g.name == GuardName::unknown && !g.open; });
    if (unknown != guards.end()) return block(*unknown, input, out);
    if (run_.was_down && input.health == model::Health::up) return drop(input, out);
    return exhaust(input, out);
  }
  const bool heals = cause == nullptr && spec_->first_healing();
  if (phase_ != Phase::recheck && phase_ != Phase::acquiring && (heals || progress_.waited == Waited::yes))
    return look(Phase::recheck, Look::all, progress_.waited, input, out);
  if (cause != nullptr) return skip_disruptive_steps(*cause, input, out);
  progress_.cleared = true;
  spend_attempt(input, out);
}

// Traffic is moved and people are told; the restart that would not help is left out.
void Plan::skip_disruptive_steps(const Guard& cause, const PlanInput& input, Effects& out) {
  settling_ = false;
  run_.non_disruptive = true;
  pending_ = usage_;
  leave_slot(out);
  out.push_back(blocked_by(cause.name));
  enter_step(input, out);
}

void Plan::spend_attempt(const PlanInput& input, Effects& out) {
  settling_ = false;
  reason_ = GuardName::none;
  run_.report.attempt = spec_->budget.attempts - attempts_left(spec_->budget, usage_, input.now) + 1;
  pending_ = rehearses() ? usage_ : with_attempt(usage_, spec_->budget, input.now);
  pending_.aborted.clear();  // a person has started it, or nothing was aborted
  enter_step(input, out);
}

void Plan::block(const Guard& guard, const PlanInput& input, Effects& out) {
  const bool changed = phase_ == Phase::idle || reason_ != guard.name;
  enter(Phase::blocked, {});
  progress_.waited = Waited::yes;
  reason_ = guard.name;
  // What only a person or a reset of the latch can open is not asked for again and again.
  const bool for_people = guard.name == GuardName::exhausted || guard.name == GuardName::aborted ||
                          guard.name == GuardName::ask || (guard.name == GuardName::maintenance && !guard.opens);
  if (!for_people) phase_data_.next = guard.opens.value_or(input.now + kRetry);
  if (guard.name == GuardName::ask) ask(input, out);
  if (!changed || settling_) return;
  out.push_back(blocked_by(guard.name));
  run_.report.state = RecoveryState::blocked;
  run_.report.reason = to_string(guard.name);
  // Waiting for the next attempt is no new event: the report of the attempt that failed has just said so.
  if (guard.name == GuardName::backoff || guard.name == GuardName::exhausted || guard.name == GuardName::aborted)
    return;
  progress_.visible = true;
  say(Kind::report, out);
}

// Mode ask: a person is paged once for a run, and has so long to answer.
void Plan::ask(const PlanInput& input, Effects& out) {
  const std::string timeout = base::format_duration(spec_->ask_timeout);
  if (!progress_.asked_until) {
    progress_.asked_until = input.now + spec_->ask_timeout;
    std::string steps;
    for (const Step& step : spec_->steps) steps += (steps.empty() ? "" : ", then ") + step.text;
    out.push_back(
        {Kind::page, fmt::format("{0}: recovery waits for a person ({1}). It would run {2}. To approve, within "
                                 "{3}: fettle recover {0}",
                                 spec_->service, run_.report.trigger, steps, timeout)});
  }
  if (input.now < *progress_.asked_until) {
    phase_data_.next = progress_.asked_until;
  } else if (std::exchange(progress_.visible, false)) {
    run_.report.state = RecoveryState::aborted;
    run_.report.reason = fmt::format("no approval came within {}", timeout);
    run_.report.ended = input.wall;
    say(Kind::report, out);
  }
}

// An action is wanted and none is left.
void Plan::exhaust(const PlanInput& input, Effects& out) {
  usage_.exhausted = true;
  pending_ = usage_;
  enter(Phase::blocked, {});
  progress_.waited = Waited::yes;
  settling_ = false;
  reason_ = GuardName::exhausted;
  run_.report.state = RecoveryState::exhausted;
  run_.report.reason = "budget";
  run_.report.ended = input.wall;
  // Told before it is written down: a crash between the two tells it twice, and never not at all.
  out.push_back(
      {Kind::exhausted, fmt::format("{}: {} recoveries within {} did not keep it healthy; fettle stops acting "
                                    "until a person has mended it and it was healthy for {}",
                                    spec_->service, spec_->budget.attempts, base::format_duration(spec_->budget.within),
                                    base::format_duration(spec_->budget.backoff.reset_after))});
  out.push_back({Kind::commit_budget});
  out.push_back(blocked_by(reason_));
  say(Kind::report, out);
  progress_.visible = false;
}

// The wait is over without an action.
void Plan::drop(const PlanInput& input, Effects& out) {
  if (progress_.visible) {
    run_.report.state = RecoveryState::aborted;
    run_.report.ended = input.wall;
    say(Kind::report, out);
  }
  enter(Phase::idle, {});
  leave_slot(out);
  progress_.visible = settling_ = false;
  reason_ = GuardName::none;
  out.push_back({Kind::commit_budget});
}

}  // namespace recover
