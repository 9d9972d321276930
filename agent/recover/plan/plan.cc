#include "recover/plan/plan.h"
#include "recover/plan/unit_guards.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace recover {

using Kind = Effect::Kind;

Plan::Plan(const PlanSpec& spec, BudgetUsage usage, base::Random& random)
    : spec_(&spec), random_(&random), usage_(std::move(usage)), pending_(usage_) {}

const Step& Plan::current_step() const {
  return run_.part == Part::steps ? spec_->steps[run_.step] : spec_->finally[run_.step];
}

const Step* Plan::healing_step() const {
  // A run that a crash left may stand behind the end of a plan that was shortened since.
  const bool stands = running() && run_.part == Part::steps && run_.step < spec_->steps.size();
  if (stands && current_step().action->may_heal()) return &current_step();
  const auto first = first_to_heal();
  return first && (!running() || run_.step < *first) ? &spec_->steps[*first] : nullptr;
}

std::optional<base::Instant> Plan::wake_at() const {
  std::optional<base::Instant> at = phase_data_.next;
  if (phase_data_.deadline && (!at || *phase_data_.deadline < *at)) at = phase_data_.deadline;
  if (!running() && healthy_since_)
    if (const auto reset = reset_at(spec_->budget, usage_, *healthy_since_); reset && (!at || *reset < *at)) at = reset;
  const auto sooner = [&at](std::optional<base::Instant> t) {
    if (t && (!at || *t < *at)) at = t;
  };
  if (is_watched()) sooner(phase_data_.watched + kRetry);
  if (spec_->flapping) sooner(calm_at(*spec_->flapping, usage_));
  if (spec_->when_down && down_since_ && !firing_) sooner(*down_since_ + *spec_->when_down);
  return at == base::Instant::max() ? std::nullopt : at;
}

model::PlanState Plan::state() const {
  using model::PlanState;
  switch (phase_) {
    case Phase::idle: return usage_.exhausted ? PlanState::exhausted : PlanState::idle;
    case Phase::acquiring:
      if (run_.by_operator) return PlanState::acting;
      [[fallthrough]];
    case Phase::blocked:
    case Phase::recheck:
      if (usage_.exhausted) return PlanState::exhausted;
      if (settling_) return PlanState::recovered;
      return reason_ == GuardName::backoff ? PlanState::backoff : PlanState::blocked;
    case Phase::verifying: return PlanState::verifying;
    case Phase::asking: return PlanState::asking;
    case Phase::waiting:
    case Phase::holding: return PlanState::holding;
    case Phase::committing:
    case Phase::looking:
    case Phase::reacquiring:
    case Phase::acting:
    case Phase::closing: return PlanState::acting;
  }
  return PlanState::idle;
}

Effects Plan::firing(const model::Alert& alert, const PlanInput& input) {
  Effects out;
  alert_ = alert;
  const bool fresh = !firing_;
  firing_ = true;
  if (fresh && !remembered_) forget_abort(out);  // it was for an alert that is over
  // Unknown counts as down here: if it turns out to be healthy, nothing is done.
  if (fresh && !remembered_) was_down_ = input.health != model::Health::up;
  if (fresh && phase_ == Phase::idle) begin(input, remembered_ ? Waited::yes : Waited::no, out);
  return out;
}

Effects Plan::resolved(const PlanInput& input) {
  Effects out;
  const bool fired = std::exchange(firing_, false);
  was_down_ = remembered_ = rehearsed_ = false;
  forget_abort(out);
  if (waits_to_begin()) drop(input, out);
  // What was written at the end of the run, or is being written, says that the alert waits: a start would go by it.
  else if (fired && (phase_ == Phase::closing || phase_ == Phase::idle)) out.push_back({Kind::commit_budget});
  return out;
}

Effects Plan::durable(const base::Result<>& result, const PlanInput& input) {
  Effects out;
  if (phase_ != Phase::committing && phase_ != Phase::closing) return out;
  if (!result) {
    if (!std::exchange(commit_failed_, true)) out.push_back(blocked_by(GuardName::state));
    reason_ = GuardName::state;
    phase_data_.next = input.now + kRetry;
    if (phase_ == Phase::committing && (!firing_ || run_.by_operator) && run_.report.actions.empty() &&
        run_.part == Part::steps) {
      give_up_start(input, out);  // nothing is durable either
      commit_failed_ = false;
    }
    return out;
  }
  commit_failed_ = false;
  reason_ = GuardName::none;
  const BudgetUsage before = std::exchange(usage_, pending_);
  if (phase_ == Phase::closing) {
    closed(input, out);
    return out;
  }
  if (!firing_ && run_.report.actions.empty() && run_.part == Part::steps && run_.was_down &&
      input.health == model::Health::up) {
    pending_ = before;  // it recovered while the intent was written: nothing was done, nothing is spent
    run_.outcome = RecoveryState::aborted;
    close(input, out);
    return out;
  }
  // What came in while the intent was written.
  if (run_.part == Part::steps) {
    const auto why = stop_reason(input);
    const bool barred = !why && is_barred();
    auto guard = !why && !barred && looks_before() ? veto(input) : std::nullopt;
    if (const Guard waits = step_waits_for(input); !why && !barred && !guard && !waits.open) guard = waits;
    if (run_.report.actions.empty() && (why || barred || (guard && passes(*guard)))) {
      if (why) run_.stop = *why;
      if (barred) run_.stop = to_string(lost_);
      pending_ = before;  // nothing was done, nothing is spent; what waits begins anew
      run_.outcome = RecoveryState::aborted;
      close(input, out);
      return out;
    }
    progress_.visible = true;
    if (why) {
      run_.stop = *why;
      finish(RecoveryState::aborted, input, out);
      say_progress(out);
      return out;
    }
    if (barred) {
      go_without_slot(input, out);
      say_progress(out);
      return out;
    }
    if (guard) {
      hold_back(*guard, input, out);
      return out;
    }
  }
  progress_.visible = true;
  const Step& step = current_step();
  if (step.action != nullptr && step.action->waits_for_person() && acts()) {
    enter(Phase::asking, {.deadline = input.now + step.timeout, .watched = input.now, .action_started = input.wall});
    leave_slot(out);
    run_.report.state = RecoveryState::asking;
    out.push_back({Kind::page, fmt::format("{0}: recovery {1} waits for a person before it goes on. To approve, within "
                                           "{2}: fettle recover {0}",
                                           spec_->service, run_.report.id, base::format_duration(step.timeout))});
    say(Kind::report, out);
    return out;
  }
  enter(Phase::acting, {.action_started = input.wall});
  out.push_back({Kind::start_action});
  say(Kind::report, out);
  return out;
}

Effects Plan::turn_came(const PlanInput& input) {
  Effects out;
  if (phase_ != Phase::acting) return out;
  if (run_.part == Part::steps) {
    const auto why = stop_reason(input);
    const bool is_well = !firing_ && run_.was_down && input.health == model::Health::up;
    if (why || is_well) {
      run_.stop = why.value_or("it recovered before the action");
      if (!progress_.acted) usage_ = without_attempt(std::move(usage_));
      finish(RecoveryState::aborted, input, out);
      say_progress(out);
      return out;
    }
    if (const auto guard = looks_before() ? veto(input) : std::nullopt) {
      hold_back(*guard, input, out);
      return out;
    }
  }
  out.push_back({Kind::start_action});
  return out;
}

Effects Plan::action_done(ActionResult result, base::Duration took, const PlanInput& input) {
  Effects out;
  if (phase_ != Phase::acting) return out;
  const Step& step = current_step();
  if (result.own_want && run_.part == Part::steps && !stop_reason(input)) {
    wait_for({GuardName::agent_overloaded, false, result.text}, input, out);
    return out;
  }
  run_.step_done = true;
  progress_.acted = progress_.acted || step.action->may_heal();
  progress_.lacks_since.reset();
  const bool ok = result.result == ActionStatus::ok || result.result == ActionStatus::would_run;
  run_.report.actions.push_back(
      {step.text, result.result, result.text, phase_data_.action_started, took, step.action->may_heal()});
  say(Kind::action_ended, out);
  if (run_.part == Part::finally) {
    say(Kind::report, out);
    advance(input, out);
    return out;
  }
  if (ok && step.action->may_heal()) run_.unverified = true;
  if (const auto why = stop_reason(input)) {
    run_.stop = *why;
    finish(RecoveryState::aborted, input, out);
  } else if (!ok) step_failed(input, out);
  else if (step.verify && !run_.non_disruptive) verify(*step.verify, After::step, input, out);
  else advance(input, out);
  if (phase_ == Phase::verifying) out.push_back({Kind::commit_progress});
  say_progress(out);
  return out;
}

Effects Plan::probe_ran(const std::string& probe, bool up, const PlanInput& input) {
  Effects out;
  if (!wants_runs() || stops(input, out)) return out;
  if (phase_ == Phase::idle) {
    if (!up && input.health == model::Health::down) begin(input, Waited::yes, out);
    return out;
  }
  int& good = good_runs_[probe];
  good = up ? good + 1 : 0;
  if (phase_ == Phase::holding) {
    look_while_holding(up ? Seen::nothing : Seen::bad_run, input, out);
    return out;
  }
  if (phase_ == Phase::waiting) {
    if (!up) look_while_waiting(Seen::bad_run, input, out);
    if (!up || !all_good(1, input)) return out;
    finish(RecoveryState::recovered, input, out);
    say_progress(out);
    return out;
  }
  const bool acquires = phase_ == Phase::acquiring || phase_ == Phase::reacquiring;
  if (acquires || phase_ == Phase::recheck || phase_ == Phase::looking) {
    if (up && run_.was_down) {
      if (!all_good(1, input)) return out;
      if (!running()) drop(input, out);
      else finish(RecoveryState::recovered, input, out);
      return out;
    }
    if (acquires) return out;
    phase_data_.own_missing = false;
    if (!phase_data_.look_missing) decide(input, out);
    return out;
  }
  if (all_good(phase_data_.verify.success_threshold, input)) {
    run_.unverified = false;
    finish(RecoveryState::recovered, input, out);
    say_progress(out);
  }
  return out;
}

Effects Plan::looked(const PlanInput& input) {
  Effects out;
  if ((phase_ != Phase::recheck && phase_ != Phase::looking) || !phase_data_.look_missing) return out;
  phase_data_.look_missing = false;
  if (!stops(input, out) && !phase_data_.own_missing) decide(input, out);
  return out;
}

void Plan::enter(Phase phase, PhaseData data) {
  phase_ = phase;
  phase_data_ = data;
}

// After a look, or when its time is over.
void Plan::decide(const PlanInput& input, Effects& out) {
  if (phase_ == Phase::recheck) consider(input, out);
  else heal_unless_vetoed(input, out);
}

Effects Plan::wake(const PlanInput& input) {
  Effects out;
  reset_if_due(input, out);
  if (spec_->when_down && !firing_ && down_since_ && input.now >= *down_since_ + *spec_->when_down) {
    model::Alert down;
    down.labels = model::Labels{{"alertname", "down"}, {"service", spec_->service}};
    down.state = model::AlertState::firing;
    down.active_at = input.wall;
    for (Effect& effect : firing(down, input)) out.push_back(std::move(effect));
    return out;
  }
  phase_data_.watched = input.now;
  if (stops(input, out)) return out;
  const bool late = phase_data_.deadline && input.now >= *phase_data_.deadline;
  switch (phase_) {
    case Phase::blocked: consider(input, out); break;
    case Phase::recheck:
      // The probes gave no answer: what was known before stands.
      if (late && run_.was_down && input.health == model::Health::up) drop(input, out);
      else if (late) consider(input, out);
      break;
    case Phase::looking:
      if (late) heal_unless_vetoed(input, out);
      break;
    case Phase::acquiring:
    case Phase::reacquiring:
      if (late) slot_silent(input, out);
      break;
    case Phase::verifying: {
      if (late) {
        verify_failed(input, out);
        break;
      }
      if (!phase_data_.next || input.now < *phase_data_.next) break;
      const bool seen = std::any_of(good_runs_.begin(), good_runs_.end(), [](const auto& p) { return p.second > 0; });
      // Once something good was seen, the probes' own rhythm decides: runs in quick succession prove little.
      if (seen) phase_data_.next.reset();
      else phase_data_.next = input.now + kReprobe;
      if (!seen) out.push_back({Kind::probe_now});
      break;
    }
    case Phase::committing:
    case Phase::closing:
      if (phase_data_.next && input.now >= *phase_data_.next) {
        phase_data_.next.reset();
        if (phase_ == Phase::closing) out.push_back({Kind::commit_close});
        else enter_step(input, out);  // the node's budget may have been used by others meanwhile
      }
      break;
    case Phase::waiting: look_while_waiting(Seen::nothing, input, out); break;
    case Phase::holding: look_while_holding(Seen::nothing, input, out); break;
    case Phase::asking:
      if (!late) break;
      phase_ = Phase::acting;
      phase_data_.deadline.reset();
      return action_done({ActionStatus::timeout,
                          fmt::format("no approval came within {}", base::format_duration(current_step().timeout))},
                         input.wall - phase_data_.action_started, input);
    case Phase::idle:
    case Phase::acting: break;
  }
  return out;
}

// Changes of health: how often, and since when it is down, for plans that go by that.
void Plan::note_health(const PlanInput& input, Effects& out) {
  const model::Health health = input.health;
  if (health == model::Health::unknown) return;
  const model::Health before = std::exchange(last_health_, health);
  if (health == model::Health::up) down_since_.reset();
  else if (!down_since_) down_since_ = input.now;
  if (!spec_->flapping || before == model::Health::unknown || before == health) return;
  const bool was = usage_.flapping;
  usage_ = with_transition(std::move(usage_), *spec_->flapping, input.now);
  pending_.transitions = usage_.transitions;
  pending_.flapping = usage_.flapping;
  out.push_back({Kind::commit_budget});
  if (was || !usage_.flapping) return;
  out.push_back({Kind::page, fmt::format("{0}: its health changed {1} times within {2}; fettle does not restart it any "
                                         "more. After the repair: fettle ack {0}; or {2} of calm",
                                         spec_->service, usage_.transitions.size(),
                                         base::format_duration(spec_->flapping->within))});
}

Effects Plan::health(const PlanInput& input) {
  Effects out;
  note_health(input, out);
  if (spec_->when_down && firing_ && input.health == model::Health::up)
    for (Effect& effect : resolved(input)) out.push_back(std::move(effect));
  if (input.health != model::Health::up) healthy_since_.reset();
  else if (!healthy_since_) healthy_since_ = input.now;
  // A run was dropped because the service was healthy, and now it is down again while its alert still fires.
  if (input.health == model::Health::down && firing_ && phase_ == Phase::idle && !rehearsed_)
    begin(input, Waited::yes, out);
  else if (input.health == model::Health::down && waits_to_begin()) run_.was_down = true;
  return out;
}

void Plan::reset_if_due(const PlanInput& input, Effects& out) {
  if (const auto calm = spec_->flapping ? calm_at(*spec_->flapping, usage_) : std::nullopt;
      calm && input.now >= *calm) {
    usage_ = calmed(std::move(usage_));
    pending_.transitions.clear();
    pending_.flapping = false;
    out.push_back({Kind::commit_budget});
  }
  if (running() || !healthy_since_) return;
  const auto at = reset_at(spec_->budget, usage_, *healthy_since_);
  if (!at || input.now < *at) return;
  usage_ = reset(usage_);
  pending_ = usage_;
  out.push_back({Kind::commit_budget});
}

// The step whose intent was durable may have run or not: it is not repeated. Probes say how the service is; if it is
// not healthy within the step's time the run goes on with the next step. Its attempt was spent with the intent. A part
// of a rollout that has not come behind its step has failed: a service that is well would not show whether it was done.
Effects Plan::resume(Run run, const PlanInput& input) {
  Effects out;
  run_ = std::move(run);
  progress_.acted = true;
  if (!run_.by_operator) {
    alert_ = run_.alert;
    remember(run_.was_down);
  }
  progress_.visible = true;
  pending_ = usage_;
  if (run_.report.mode == RecoveryMode::enforce) {
    if (run_.non_disruptive) out.push_back({Kind::release_slot});
    else ask_slot(out);  // it goes on to verify without waiting for the answer
  }
  if (run_.stop.empty()) run_.stop = usage_.aborted;
  const auto& list = run_.part == Part::steps ? spec_->steps : spec_->finally;
  if (run_.step >= list.size()) {  // the plan was changed meanwhile
    if (run_.outcome == RecoveryState::none) run_.outcome = RecoveryState::aborted;
    close(input, out);
    return out;
  }
  if (run_.part == Part::finally) {
    finally_from(run_.step, input, out);
    return out;
  }
  const bool asked = current_step().action->waits_for_person();
  if (!run_.step_done && !asked && (!run_.non_disruptive || run_.report.actions.empty()))
    run_.report.actions.push_back({current_step().text,
                                   ActionStatus::failed,
                                   "the agent stopped while this ran; how it ended is not known",
                                   input.wall,
                                   {}});
  if (run_.non_disruptive && !stop_reason(input)) {
    hold(input, out);
    return out;
  }
  if (!run_.step_done && asked && !stop_reason(input)) {
    commit_step(out);  // asked again: the answer, if there was one, is lost
    return out;
  }
  if (const auto why = stop_reason(input)) {
    run_.stop = *why;
    finish(RecoveryState::aborted, input, out);
    say_progress(out);
    return out;
  }
  if (run_.only && !(run_.step_done && run_.step == *run_.only)) finish(RecoveryState::failed, input, out);
  else verify(current_step().verify.value_or(Verify{}), After::step, input, out);
  say(Kind::report, out);
  return out;
}

}  // namespace recover
