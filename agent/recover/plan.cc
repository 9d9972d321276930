#include "recover/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace recover {

using Kind = Effect::Kind;

Plan::Plan(const PlanSpec& spec, Spent spent, base::Random& random)
    : spec_(&spec), random_(&random), spent_(std::move(spent)), pending_(spent_) {}

const Step& Plan::current_step() const {
  return run_.part == Part::steps ? spec_->steps[run_.step] : spec_->finally[run_.step];
}

std::optional<base::Instant> Plan::wake_at() const {
  std::optional<base::Instant> at = next_;
  if (deadline_ && (!at || *deadline_ < *at)) at = deadline_;
  if (!running() && healthy_since_)
    if (const auto reset = reset_at(spec_->budget, spent_, *healthy_since_); reset && (!at || *reset < *at)) at = reset;
  const auto sooner = [&at](std::optional<base::Instant> t) {
    if (t && (!at || *t < *at)) at = t;
  };
  if (spec_->flapping) sooner(calm_at(*spec_->flapping, spent_));
  if (spec_->when_down && down_since_ && !firing_) sooner(*down_since_ + *spec_->when_down);
  return at == base::Instant::max() ? std::nullopt : at;
}

std::string Plan::state() const {
  switch (phase_) {
    case Phase::idle: return spent_.exhausted ? "exhausted" : "idle";
    case Phase::blocked:
    case Phase::recheck:
      if (spent_.exhausted) return "exhausted";
      if (settling_) return "recovered";
      return reason_ == "backoff" ? "backoff" : "blocked";
    case Phase::verifying: return "verifying";
    case Phase::asking: return "asking";
    case Phase::holding: return "holding";
    case Phase::committing:
    case Phase::acting:
    case Phase::closing: return "acting";
  }
  return "idle";
}

// ---- from the alert to the first commit

Effects Plan::firing(const model::Alert& alert, const Situation& situation) {
  Effects out;
  alert_ = alert;
  const bool fresh = !firing_;
  firing_ = true;
  // Unknown counts as down here: if it turns out to be healthy, nothing is done.
  if (fresh && !remembered_) was_down_ = situation.health != model::Health::up;
  if (fresh && phase_ == Phase::idle) begin(situation, remembered_ ? Waited::yes : Waited::no, out);
  return out;
}

Effects Plan::resolved(const Situation& situation) {
  Effects out;
  firing_ = was_down_ = remembered_ = false;
  if (phase_ == Phase::blocked || phase_ == Phase::recheck) drop(situation, out);
  return out;
}

void Plan::new_run(const std::string& trigger, const Situation& situation) {
  run_ = Run{};
  if (firing_) run_.alert = alert_;
  run_.report.id = random_->identifier();
  run_.report.service = spec_->service;
  run_.report.trigger = trigger;
  run_.report.mode = to_string(spec_->mode);
  run_.report.started = situation.wall;
  visible_ = false;
  asked_until_.reset();
  reason_.clear();
}

void Plan::begin(const Situation& situation, Waited waited, Effects& out) {
  new_run(fmt::format("alert {}", alert_.name()), situation);
  run_.was_down = was_down_;
  waited_ = waited;
  consider(situation, out);
}

Effects Plan::start(const std::string& trigger, const Situation& situation) {
  Effects out;
  if (visible_) {  // what waited is over: this run stands for it
    run_.report.state = "aborted";
    run_.report.reason = "started by a person instead";
    run_.report.ended = situation.wall;
    say(Kind::report, out);
  }
  new_run(trigger, situation);
  run_.by_operator = true;
  if (spec_->mode == Mode::ask) run_.report.mode = to_string(Mode::enforce);  // this is the approval
  spend_attempt(situation, out);
  return out;
}

void Plan::consider(const Situation& situation, Effects& out) {
  const std::vector<Gate> gates = evaluate_gates(*spec_, spent_, situation);
  const Gate* gate = first_closed(gates);
  const Gate* cause = gate != nullptr ? first_that_spares(*spec_, gates) : nullptr;
  if (gate != nullptr && cause == nullptr) {
    if (gate->name == "budget") exhaust(situation, out);
    else block(*gate, situation, out);
    return;
  }
  if (waited_ == Waited::yes && phase_ != Phase::recheck) {
    phase_ = Phase::recheck;
    good_runs_.clear();
    deadline_ = situation.now + kRecheckLimit;
    next_.reset();
    out.push_back({Kind::probe_now});
    return;
  }
  if (cause != nullptr) spare(*cause, situation, out);
  else spend_attempt(situation, out);
}

// Traffic is moved and people are told; the restart that would not help is left out.
void Plan::spare(const Gate& cause, const Situation& situation, Effects& out) {
  settling_ = false;
  run_.mild = true;
  pending_ = spent_;
  out.push_back({Kind::blocked, cause.name});
  enter_step(situation, out);
}

void Plan::spend_attempt(const Situation& situation, Effects& out) {
  settling_ = false;
  reason_.clear();
  run_.report.attempt = spec_->budget.attempts - attempts_left(spec_->budget, spent_, situation.now) + 1;
  pending_ = with_attempt(spent_, spec_->budget, situation.now);
  enter_step(situation, out);
}

void Plan::block(const Gate& gate, const Situation& situation, Effects& out) {
  const bool changed = phase_ == Phase::idle || reason_ != gate.name;
  phase_ = Phase::blocked;
  waited_ = Waited::yes;
  deadline_.reset();
  reason_ = gate.name;
  // What only a person or a reset of the latch can open is not asked for again and again.
  if (gate.name == "exhausted" || gate.name == "ask" || (gate.name == "maintenance" && !gate.opens)) next_.reset();
  else next_ = gate.opens.value_or(situation.now + kRetry);
  if (gate.name == "ask") ask(situation, out);
  if (!changed || settling_) return;
  out.push_back({Kind::blocked, gate.name});
  run_.report.state = "blocked";
  run_.report.reason = gate.name;
  // Waiting for the next attempt is no new event: the report of the attempt that failed has just said so.
  if (gate.name == "backoff" || gate.name == "exhausted") return;
  visible_ = true;
  say(Kind::report, out);
}

// Mode ask: a person is paged once for a run, and has so long to answer.
void Plan::ask(const Situation& situation, Effects& out) {
  const std::string timeout = base::format_duration(spec_->ask_timeout);
  if (!asked_until_) {
    asked_until_ = situation.now + spec_->ask_timeout;
    std::string steps;
    for (const Step& step : spec_->steps) steps += (steps.empty() ? "" : ", then ") + step.text;
    out.push_back(
        {Kind::page, fmt::format("{0}: recovery waits for a person ({1}). It would run {2}. To approve, within "
                                 "{3}: fettle recover {0}",
                                 spec_->service, run_.report.trigger, steps, timeout)});
  }
  if (situation.now < *asked_until_) {
    next_ = asked_until_;
  } else if (std::exchange(visible_, false)) {
    run_.report.state = "aborted";
    run_.report.reason = fmt::format("nobody approved within {}", timeout);
    run_.report.ended = situation.wall;
    say(Kind::report, out);
  }
}

Effects Plan::approve(const std::string& who, const Situation& situation) {
  if (phase_ != Phase::asking) return {};
  phase_ = Phase::acting;
  deadline_.reset();
  return action_done({"ok", "approved by " + who}, situation.wall - action_started_, situation);
}

// An action is wanted and none is left.
void Plan::exhaust(const Situation& situation, Effects& out) {
  spent_.exhausted = true;
  pending_ = spent_;
  phase_ = Phase::blocked;
  waited_ = Waited::yes;
  settling_ = false;
  deadline_.reset();
  next_.reset();
  reason_ = "exhausted";
  run_.report.state = "exhausted";
  run_.report.reason = "budget";
  run_.report.ended = situation.wall;
  // Told before it is written down: a crash between the two tells it twice, and never not at all.
  out.push_back(
      {Kind::exhausted, fmt::format("{}: {} recoveries within {} did not keep it healthy; fettle stops acting "
                                    "until a person has mended it and it was healthy for {}",
                                    spec_->service, spec_->budget.attempts, base::format_duration(spec_->budget.within),
                                    base::format_duration(spec_->budget.backoff.reset_after))});
  out.push_back({Kind::commit_budget});
  out.push_back({Kind::blocked, reason_});
  say(Kind::report, out);
  visible_ = false;
}

// The wait is over without an action.
void Plan::drop(const Situation& situation, Effects& out) {
  if (visible_) {
    run_.report.state = "aborted";
    run_.report.ended = situation.wall;
    say(Kind::report, out);
  }
  phase_ = Phase::idle;
  visible_ = settling_ = false;
  reason_.clear();
  next_.reset();
  deadline_.reset();
  out.push_back({Kind::commit_budget});
}

// ---- steps

// The first step of a run that the node's budget does not allow is not reached: its gate is closed.
void Plan::enter_step(const Situation& situation, Effects& out) {
  const Step& step = current_step();
  if (run_.part == Part::steps && run_.mild && step.action->may_heal()) {
    const std::vector<Gate> gates = evaluate_gates(*spec_, spent_, situation);
    const Gate* cause = first_that_spares(*spec_, gates);
    run_.step_done = true;
    run_.report.actions.push_back({step.text,
                                   "refused",
                                   cause != nullptr ? cause->name + ": " + cause->text : "it would not have helped",
                                   situation.wall,
                                   {}});
    say(Kind::action_ended, out);
    return advance(situation, out);
  }
  if (run_.part == Part::finally || run_.by_operator || situation.node_budget.open || !step.action->may_heal())
    return commit_step(out);
  run_.step_done = true;
  run_.report.actions.push_back(
      {step.text, "refused", "node_budget: " + situation.node_budget.text, situation.wall, {}});
  say(Kind::action_ended, out);
  step_failed(situation, out);
}

void Plan::commit_step(Effects& out) {
  phase_ = Phase::committing;
  next_.reset();
  deadline_.reset();
  run_.step_done = false;
  run_.report.state = "acting";
  run_.report.reason.clear();
  out.push_back({Kind::commit_intent});
}

Effects Plan::durable(const base::Result<>& result, const Situation& situation) {
  Effects out;
  if (phase_ != Phase::committing && phase_ != Phase::closing) return out;
  if (!result) {
    if (!std::exchange(commit_failed_, true)) out.push_back({Kind::blocked, "state"});
    reason_ = "state";
    next_ = situation.now + kRetry;
    if (phase_ == Phase::committing && (!firing_ || run_.by_operator) && run_.report.actions.empty() &&
        run_.part == Part::steps) {
      pending_ = spent_;
      drop(situation, out);  // nothing was done and nothing is durable
      commit_failed_ = false;
      if (firing_) begin(situation, Waited::yes, out);  // a person is told; the alert still wants its recovery
    }
    return out;
  }
  commit_failed_ = false;
  reason_.clear();
  const Spent before = std::exchange(spent_, pending_);
  if (phase_ == Phase::closing) {
    closed(situation, out);
    return out;
  }
  if (!firing_ && run_.report.actions.empty() && run_.part == Part::steps && run_.was_down &&
      situation.health == model::Health::up) {
    pending_ = before;  // it recovered while the intent was written: nothing was done, nothing is spent
    run_.outcome = "aborted";
    close(situation, out);
    return out;
  }
  phase_ = Phase::acting;
  visible_ = true;
  action_started_ = situation.wall;
  const Step& step = current_step();
  if (step.action != nullptr && step.action->waits_for_person() && acts()) {
    phase_ = Phase::asking;
    deadline_ = situation.now + step.timeout;
    run_.report.state = "asking";
    out.push_back({Kind::page, fmt::format("{0}: recovery {1} waits for a person before it goes on. To approve, within "
                                           "{2}: fettle recover {0}",
                                           spec_->service, run_.report.id, base::format_duration(step.timeout))});
    say(Kind::report, out);
    return out;
  }
  out.push_back({Kind::start_action});
  say(Kind::report, out);
  return out;
}

Effects Plan::action_done(ActionResult result, base::Duration took, const Situation& situation) {
  Effects out;
  if (phase_ != Phase::acting) return out;
  const Step& step = current_step();
  run_.step_done = true;
  const bool ok = result.result == "ok" || result.result == "would_run";
  run_.report.actions.push_back({step.text, result.result, result.text, action_started_, took});
  say(Kind::action_ended, out);
  if (run_.part == Part::finally) {
    say(Kind::report, out);
    advance(situation, out);
    return out;
  }
  if (ok && step.action->may_heal()) run_.unverified = true;
  if (!ok) step_failed(situation, out);
  else if (step.verify && !run_.mild) verify(*step.verify, situation, out);
  else advance(situation, out);
  if (phase_ == Phase::verifying) out.push_back({Kind::commit_progress});
  say_progress(out);
  return out;
}

void Plan::step_failed(const Situation& situation, Effects& out) {
  const Step& step = current_step();
  // Nobody said yes: what it was asked for does not follow as an escalation.
  const bool refused = step.on_failure == OnFailure::escalate && step.action->waits_for_person();
  if (step.on_failure == OnFailure::stop || refused) finish("failed", situation, out);
  else advance(situation, out);
}

void Plan::advance(const Situation& situation, Effects& out) {
  const auto& list = run_.part == Part::steps ? spec_->steps : spec_->finally;
  if (run_.step + 1 < list.size()) {
    ++run_.step;
    pending_ = spent_;
    enter_step(situation, out);
  } else if (run_.part == Part::finally) {
    close(situation, out);
  } else if (run_.mild) {
    hold(situation, out);
  } else if (run_.unverified) {
    final_check_ = true;
    verify(Verify{}, situation, out);
  } else {
    finish("failed", situation, out);
  }
}

void Plan::hold(const Situation& situation, Effects& out) {
  phase_ = Phase::holding;
  good_runs_.clear();
  deadline_.reset();
  next_ = situation.now + kRetry;
  run_.report.state = "holding";
  out.push_back({Kind::commit_progress});
  out.push_back({Kind::probe_now});
}

void Plan::look_while_holding(Seen seen, const Situation& situation, Effects& out) {
  next_ = situation.now + kRetry;
  if (spent_.flapping && spec_->flapping) return;
  const bool healthy = situation.health == model::Health::up && all_good(1, situation);
  if (!firing_ || (run_.was_down && healthy)) {
    finish(healthy ? "recovered" : "aborted", situation, out);
    return say_progress(out);
  }
  const std::vector<Gate> gates = evaluate_gates(*spec_, spent_, situation);
  if (const Gate* gate = first_closed(gates)) {
    if (gate->name == "budget" || gate->name == "exhausted") {
      finish("failed", situation, out);
      say_progress(out);
    }
    return;
  }
  if (seen != Seen::bad_run) return out.push_back({Kind::probe_now});
  // What held the restart back is gone, and a probe has said since that the service did not come back with it.
  run_.mild = false;
  const auto first =
      std::find_if(spec_->steps.begin(), spec_->steps.end(), [](const Step& step) { return step.action->may_heal(); });
  run_.step = static_cast<std::size_t>(first - spec_->steps.begin());
  spend_attempt(situation, out);
}

// The end is reported once, when it is durable: by closed().
void Plan::say_progress(Effects& out) const {
  if (phase_ != Phase::closing) say(Kind::report, out);
}

// ---- verification

void Plan::verify(const Verify& wanted, const Situation& situation, Effects& out) {
  phase_ = Phase::verifying;
  verify_ = wanted;
  good_runs_.clear();
  deadline_ = situation.now + wanted.within;
  next_ = situation.now + kReprobe;
  run_.report.state = "verifying";
  out.push_back({Kind::probe_now});
}

bool Plan::all_good(int threshold, const Situation& situation) const {
  // Probes that are not listed by name (a plan made by hand) are taken as one: the service's health decides then.
  if (spec_->probes.empty())
    return situation.health == model::Health::up &&
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
                       verify_.success_threshold);
  }
  return out;
}

Effects Plan::probe_ran(const std::string& probe, bool up, const Situation& situation) {
  Effects out;
  if (!wants_runs()) return out;
  int& good = good_runs_[probe];
  good = up ? good + 1 : 0;
  if (phase_ == Phase::holding) {
    look_while_holding(up ? Seen::nothing : Seen::bad_run, situation, out);
    return out;
  }
  if (phase_ == Phase::recheck) {
    if (!up || !run_.was_down) consider(situation, out);
    else if (all_good(1, situation)) drop(situation, out);
    return out;
  }
  if (all_good(verify_.success_threshold, situation)) {
    run_.unverified = false;
    finish("recovered", situation, out);
    say_progress(out);
  }
  return out;
}

void Plan::verify_failed(const Situation& situation, Effects& out) {
  run_.unverified = false;
  if (!run_.report.actions.empty()) {
    std::string& text = run_.report.actions.back().text;
    text += fmt::format("{}not healthy within {}{}", text.empty() ? "" : "; ", base::format_duration(verify_.within),
                        spec_->probes.empty() ? "" : fmt::format(" (good runs: {})", good_runs_text()));
  }
  if (std::exchange(final_check_, false)) finish("failed", situation, out);
  else step_failed(situation, out);
  say_progress(out);
}

// ---- the end

void Plan::finish(const std::string& outcome, const Situation& situation, Effects& out) {
  final_check_ = false;
  run_.outcome = outcome;
  run_.part = Part::finally;
  run_.step = 0;
  pending_ = spent_;
  if (spec_->finally.empty()) close(situation, out);
  else commit_step(out);
}

void Plan::close(const Situation& situation, Effects& out) {
  phase_ = Phase::closing;
  next_.reset();
  deadline_.reset();
  if (run_.mild) pending_ = spent_;  // it did nothing that a budget or a cooldown would count
  else if (run_.outcome == "recovered") pending_ = with_recovery(spent_, situation.now);
  else if (run_.outcome == "failed") pending_ = with_failure(spent_, spec_->budget, situation.now, random_->unit());
  run_.report.state = run_.outcome == "failed" && pending_.exhausted ? "exhausted" : run_.outcome;
  run_.report.reason.clear();
  run_.report.ended = situation.wall;
  // As in exhaust(): first told, then written down.
  if (run_.report.state == "exhausted")
    out.push_back({Kind::exhausted, fmt::format("{}: attempt {} of {} failed and was the last one within {}; fettle "
                                                "stops acting until it was healthy for {}",
                                                spec_->service, run_.report.attempt, spec_->budget.attempts,
                                                base::format_duration(spec_->budget.within),
                                                base::format_duration(spec_->budget.backoff.reset_after))});
  out.push_back({Kind::commit_close});
}

void Plan::closed(const Situation& situation, Effects& out) {
  phase_ = Phase::idle;
  const bool shown = std::exchange(visible_, false);
  if (run_.outcome != "aborted" || shown) say(Kind::report, out);
  settling_ = run_.outcome == "recovered";
  if (firing_ && run_.outcome != "aborted") begin(situation, Waited::yes, out);
  else settling_ = false;
}

// ---- time and health

Effects Plan::wake(const Situation& situation) {
  Effects out;
  reset_if_due(situation, out);
  if (spec_->when_down && !firing_ && down_since_ && situation.now >= *down_since_ + *spec_->when_down) {
    model::Alert down;
    down.labels = model::Labels{{"alertname", "down"}, {"service", spec_->service}};
    down.state = model::AlertState::firing;
    down.active_at = situation.wall;
    for (Effect& effect : firing(down, situation)) out.push_back(std::move(effect));
    return out;
  }
  const bool late = deadline_ && situation.now >= *deadline_;
  switch (phase_) {
    case Phase::blocked: consider(situation, out); break;
    case Phase::recheck:
      // The probes gave no answer: what was known before stands.
      if (late && run_.was_down && situation.health == model::Health::up) drop(situation, out);
      else if (late) consider(situation, out);
      break;
    case Phase::verifying: {
      if (late) {
        verify_failed(situation, out);
        break;
      }
      if (next_ && situation.now < *next_) break;
      const bool seen = std::any_of(good_runs_.begin(), good_runs_.end(), [](const auto& p) { return p.second > 0; });
      // Once something good was seen, the probes' own rhythm decides: runs in quick succession prove little.
      if (seen) next_.reset();
      else next_ = situation.now + kReprobe;
      if (!seen) out.push_back({Kind::probe_now});
      break;
    }
    case Phase::committing:
    case Phase::closing:
      if (next_ && situation.now >= *next_) {
        next_.reset();
        if (phase_ == Phase::closing) out.push_back({Kind::commit_close});
        else enter_step(situation, out);  // the node's budget may have been used by others meanwhile
      }
      break;
    case Phase::holding: look_while_holding(Seen::nothing, situation, out); break;
    case Phase::asking:
      if (!late) break;
      phase_ = Phase::acting;
      deadline_.reset();
      return action_done(
          {"timeout", fmt::format("nobody approved within {}", base::format_duration(current_step().timeout))},
          situation.wall - action_started_, situation);
    case Phase::idle:
    case Phase::acting: break;
  }
  return out;
}

// Changes of health: how often, and since when it is down, for plans that go by that.
void Plan::note_health(const Situation& situation, Effects& out) {
  const model::Health health = situation.health;
  if (health == model::Health::unknown) return;
  const model::Health before = std::exchange(last_health_, health);
  if (health == model::Health::up) down_since_.reset();
  else if (!down_since_) down_since_ = situation.now;
  if (!spec_->flapping || before == model::Health::unknown || before == health) return;
  const bool was = spent_.flapping;
  spent_ = with_transition(std::move(spent_), *spec_->flapping, situation.now);
  pending_.transitions = spent_.transitions;
  pending_.flapping = spent_.flapping;
  out.push_back({Kind::commit_budget});
  if (was || !spent_.flapping) return;
  out.push_back({Kind::page, fmt::format("{0}: its health changed {1} times within {2}; fettle does not restart it any "
                                         "more. After the repair: fettle ack {0}; or {2} of calm",
                                         spec_->service, spent_.transitions.size(),
                                         base::format_duration(spec_->flapping->within))});
}

Effects Plan::health(const Situation& situation) {
  Effects out;
  note_health(situation, out);
  if (spec_->when_down && firing_ && situation.health == model::Health::up)
    for (Effect& effect : resolved(situation)) out.push_back(std::move(effect));
  if (situation.health != model::Health::up) healthy_since_.reset();
  else if (!healthy_since_) healthy_since_ = situation.now;
  // A run was dropped because the service was healthy, and now it is down again while its alert still fires.
  if (situation.health == model::Health::down && firing_ && phase_ == Phase::idle) begin(situation, Waited::yes, out);
  else if (situation.health == model::Health::down && (phase_ == Phase::blocked || phase_ == Phase::recheck))
    run_.was_down = true;
  return out;
}

void Plan::reset_if_due(const Situation& situation, Effects& out) {
  if (const auto calm = spec_->flapping ? calm_at(*spec_->flapping, spent_) : std::nullopt;
      calm && situation.now >= *calm) {
    spent_ = calmed(std::move(spent_));
    pending_.transitions.clear();
    pending_.flapping = false;
    out.push_back({Kind::commit_budget});
  }
  if (running() || !healthy_since_) return;
  const auto at = reset_at(spec_->budget, spent_, *healthy_since_);
  if (!at || situation.now < *at) return;
  spent_ = reset(spent_);
  pending_ = spent_;
  out.push_back({Kind::commit_budget});
}

// The step whose intent was durable may have run or not: it is not repeated. Probes say how the service is; if it is
// not healthy within the step's time the run goes on with the next step. Its attempt was spent with the intent.
Effects Plan::resume(Run run, const Situation& situation) {
  Effects out;
  run_ = std::move(run);
  if (!run_.by_operator) {
    alert_ = run_.alert;
    remember(run_.was_down);
  }
  visible_ = true;
  pending_ = spent_;
  const auto& list = run_.part == Part::steps ? spec_->steps : spec_->finally;
  if (run_.step >= list.size()) {  // the plan was changed meanwhile
    if (run_.outcome.empty()) run_.outcome = "aborted";
    close(situation, out);
    return out;
  }
  if (run_.part == Part::finally) {
    commit_step(out);
    return out;
  }
  if (run_.mild) {
    hold(situation, out);
    return out;
  }
  if (!run_.step_done && current_step().action->waits_for_person()) {
    commit_step(out);  // asked again: the answer, if there was one, is lost
    return out;
  }
  if (!run_.step_done)
    run_.report.actions.push_back({current_step().text,
                                   "failed",
                                   "the agent stopped while this ran; how it ended is not known",
                                   situation.wall,
                                   {}});
  verify(current_step().verify.value_or(Verify{}), situation, out);
  say(Kind::report, out);
  return out;
}

}  // namespace recover
