// The state machine of one service's recovery. Pure: inputs come with the PlanInput, what is to be done comes out as a
// list of Effects in order; no timer, no disk, no process. The Dispatcher carries the effects out.
//
//   idle ─firing→ blocked ⇄ (guards) ─open→ [recheck] → acquiring ─slot→ committing ─durable→ acting → verifying → …
//   → closing → idle
//
// Rules that hold throughout:
// - An action starts only after the commit that names it was durable; the first commit of a run also spends an attempt.
// - A run that started goes on to its end, whatever the alert does. One that waits is dropped when the alert resolves.
// - Before each step, and all the time while a run waits, it is asked whether people want it stopped: maintenance, a
//   pause file, halt(), abort(). Then the action that runs comes to its end, and nothing follows but what gives traffic
//   back; the run's outcome is aborted.
// - After any wait the service is probed again first; one that was down and is healthy needs no action.
// - Before the first action of a run that may heal, systemd and the probes of the dependencies are asked anew, unless a
//   person started the run. What speaks against the action then holds it back; who is silent for kRecheckLimit does
//   not.
// - Before each later step that may heal, systemd is asked about the unit: while it is starting or has a job the run
//   waits, for what is starting is not ended in the middle.
// - What another plan works on is left to it until its action has ended.
// - A step for which the agent itself lacks descriptors or tasks waits, as long as its timeout is; then the run ends,
// and
//   its attempt is given back if nothing was done with it.
// - Steps run at most once per run, also across a crash; `finally` steps at least once.
// - Nothing that interrupts the service begins without a slot, but the steps of a run that leaves the restart out. No
//   and unknown are the same: the run waits. plan_slot.cc says what becomes of a run whose slot is lost.
// - An action that may heal is within the node's budget; one that is not is refused and the run goes on without it.
// - While a dependency is down or the service flaps, steps that heal nothing are done and the rest waits: the restart
//   comes late, if the service has not come back by itself.
// - A dry run tells once for each alert what it would do. It spends no attempt, and is neither failed nor exhausted.
// - A plan is "recovered" only if every probe of the service said so after the last action that may have healed it.
//
// plan.cc has the inputs; what they lead to is in plan_wait.cc until the first commit, in plan_steps.cc from there on,
// in plan_slot.cc around the slot, in plan_start.cc when people start a run, and in plan_stop.cc when they stop one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "recover/action.h"
#include "recover/plan/budget.h"
#include "recover/plan/guard.h"
#include "recover/plan/plan_spec.h"
#include "recover/plan/run.h"
#include "recover/plan/slots.h"
#include "recover/plan/unit_work.h"

namespace recover {

struct Effect {
  enum class Kind {
    commit_intent,    // the run and the budget, together; answer with durable()
    commit_progress,  // the run: its action ended. Not waited for
    commit_close,     // the intent is gone, the budget and the final report stay; answer with durable()
    commit_budget,    // the budget and whether an alert waits; not waited for
    acquire_slot,     // for run(): answer with slot(), and with slot_lost() when that happens
    release_slot,     // that is held or asked for, if there is one
    start_action,     // current_step(): answer with action_done()
    probe_now,
    look,          // at the units and at the dependencies, anew; answer with looked()
    look_at_unit,  // at the units only; answer with looked()
    report,        // the report as it is now
    action_ended,  // the report's newest action
    blocked,       // by `guard`
    exhausted,     // text: for a page
    page,          // text: a person is asked, or told of a latch
  };
  Kind kind;
  std::string text{};
  model::RecoveryReport report{};
  GuardName guard = GuardName::none;
};
using Effects = std::vector<Effect>;
inline Effect blocked_by(GuardName guard) { return {Effect::Kind::blocked, {}, {}, guard}; }

// recheck: before a run begins, and looking: in the middle of one, what speaks against an action is asked anew.
// acquiring: before a run begins, and reacquiring: in the middle of one that had given it back, a slot is asked for.
// waiting: before a step, for a unit that is starting. holding: the steps that a restart is no part of are done, and
// the run waits for what it cannot mend.
enum class Phase {
  idle,
  blocked,
  recheck,
  acquiring,
  committing,
  looking,
  reacquiring,
  waiting,
  acting,
  asking,
  holding,
  verifying,
  closing
};

class Plan {
 public:
  static constexpr base::Millis kRecheckLimit{10'000};  // for the probes to answer before acting on what is known
  static constexpr base::Millis kSlotLimit{10'000};     // for the slots to answer
  static constexpr base::Millis kRetry{1'000};          // asks again: guards without a time, a state that failed
  static constexpr base::Millis kReprobe{250};          // while verifying and nothing good was seen yet

  // `spec` outlives the plan or is exchanged by adopt() while phase() is idle or blocked.
  Plan(const PlanSpec& spec, BudgetUsage usage, base::Random& random);

  // Inputs.
  Effects firing(const model::Alert& alert, const PlanInput& input);
  Effects resolved(const PlanInput& input);
  Effects durable(const base::Result<>& result, const PlanInput& input);  // the answer to a commit_intent or _close
  // The action that durable() has begun had to wait for its turn, which came: it starts, unless something speaks
  // against it by now.
  Effects turn_came(const PlanInput& input);
  Effects action_done(ActionResult result, base::Duration took, const PlanInput& input);
  Effects probe_ran(const std::string& probe, bool up, const PlanInput& input);
  Effects looked(const PlanInput& input);                          // the answer to a look: the input has what it found
  Effects slot(const SlotAnswer& answer, const PlanInput& input);  // the answer to an acquire_slot
  Effects slot_lost(const Guard& why, const PlanInput& input);     // after a yes
  Effects health(const PlanInput& input);  // the service's health changed or is known for the first time
  Effects wake(const PlanInput& input);    // the time of wake_at() came, or something that guards ask for changed
  Effects resume(Run run, const PlanInput& input);  // what a crash left: once, before any other input
  // A person starts a run now, while none is under_way() and first_closed_to_person() is null. Or a rollout does, of
  // this step `only`, and first_closed_to_rollout() is null.
  Effects start(const std::string& trigger, const PlanInput& input, std::optional<std::size_t> only = std::nullopt);
  // The run under way is not wanted any more, for the reason `why`: see the rules above.
  Effects halt(const std::string& why, const PlanInput& input);
  // A person says so: nothing more is done for the alert that fires, until it has resolved, or start(), or
  // acknowledge().
  Effects abort(const std::string& who, const PlanInput& input);
  // A person approves the step that waits for it.
  Effects approve(const std::string& who, const PlanInput& input);
  // A person says that the cause is mended; wake() follows, once the caller has seen to it that this is written down.
  void acknowledge() { pending_ = usage_ = acknowledged(std::move(usage_)); }
  // An alert waited before a crash or a reload, and the service was down then or not: before firing().
  void remember(bool was_down) {
    was_down_ = was_down;
    remembered_ = true;
  }
  void adopt(const PlanSpec& spec) { spec_ = &spec; }

  // What there is to see.
  Phase phase() const { return phase_; }
  bool running() const { return phase_ >= Phase::committing; }
  bool under_way() const { return running() || phase_ == Phase::acquiring; }  // not exchanged, not started by others
  bool acts() const { return running() && run_.report.mode == RecoveryMode::enforce; }  // its actions are real
  UnitWork work_on_unit() const;
  // A run that was dropped because the service was healthy leaves an alert that fires: a failure begins anew.
  bool wants_runs() const {
    return phase_ == Phase::recheck || phase_ == Phase::acquiring || phase_ == Phase::looking ||
           phase_ == Phase::reacquiring || phase_ == Phase::waiting || phase_ == Phase::verifying ||
           phase_ == Phase::holding || (phase_ == Phase::idle && firing_ && !rehearsed_);
  }
  // It can be dropped without a trace. A person's own start is dropped by people only.
  bool waits_to_begin() const {
    return phase_ == Phase::blocked || phase_ == Phase::recheck || (phase_ == Phase::acquiring && !run_.by_operator);
  }
  bool alert_firing() const { return firing_; }
  bool was_down() const { return was_down_; }
  const PlanSpec& spec() const { return *spec_; }
  const Run& run() const { return run_; }
  const BudgetUsage& usage() const { return usage_; }
  const BudgetUsage& usage_to_commit() const { return pending_; }
  const model::Alert& alert() const { return alert_; }
  const Step& current_step() const;
  // The step that may heal and comes next, or runs; null: none does.
  const Step* healing_step() const;
  std::optional<base::Instant> wake_at() const;
  model::PlanState state() const;
  GuardName reason() const { return reason_; }
  // Why people want the step that runs stopped; what a run does at its end, to give traffic back, goes on.
  std::optional<std::string> step_stopped(const PlanInput& input) const;

 private:
  enum class Waited { no, yes };

  // Of the run, beside what is durable: new_run() resets it.
  struct Progress {
    bool visible = false;  // it has been reported
    Waited waited = Waited::no;
    bool cleared = false;  // systemd and the dependencies were asked, and nothing speaks against the step that comes
    bool acted = false;    // an action that may heal was carried out, or may have been
    bool late = false;     // it has held, and what is left of it is the restart
    std::optional<base::Instant> lacks_since{};  // the agent lacks what the step needs
    std::optional<base::Instant> asked_until{};  // in mode ask: its approval
  };

  // Of the phase: enter() resets it, so that no phase sees the data of another.
  struct PhaseData {
    std::optional<base::Instant> next{};      // to wake, unless something comes before
    std::optional<base::Instant> deadline{};  // of looks, slots, people and verifications
    base::Instant watched{};                  // when it was last asked whether people want the run stopped
    // recheck, looking
    bool own_missing = false;   // no probe of the service has confirmed yet that it is bad
    bool look_missing = false;  // nor have systemd and the dependencies answered
    // acting, asking
    base::WallTime action_started{};
    // verifying
    Verify verify{};
    bool after_last_step = false;
  };

  // plan_start.cc
  std::optional<std::size_t> first_to_heal() const;  // in the run under way
  std::size_t next_step(std::size_t from) const;
  const Guard* closed_to_starter(const std::vector<Guard>& guards) const;
  // plan_wait.cc
  void begin(const PlanInput& input, Waited waited, Effects& out);
  void new_run(const std::string& trigger, const PlanInput& input);
  void spend_attempt(const PlanInput& input, Effects& out);
  enum class Look { all, units };
  void look(Phase phase, Look at, Waited own, const PlanInput& input, Effects& out);
  void consider(const PlanInput& input, Effects& out);
  void block(const Guard& guard, const PlanInput& input, Effects& out);
  void exhaust(const PlanInput& input, Effects& out);
  void ask(const PlanInput& input, Effects& out);
  void skip_disruptive_steps(const Guard& cause, const PlanInput& input, Effects& out);
  void drop(const PlanInput& input, Effects& out);
  // plan_steps.cc
  void hold(const PlanInput& input, Effects& out);
  enum class Seen { nothing, bad_run };
  void look_while_holding(Seen seen, const PlanInput& input, Effects& out);
  void look_while_waiting(Seen seen, const PlanInput& input, Effects& out);
  void enter_step(const PlanInput& input, Effects& out);
  bool is_first_to_heal() const;  // the current step, in a run that asks before
  bool looks_before() const;      // the current step wants a look at its unit
  void look_before_step(const PlanInput& input, Effects& out);
  void heal_unless_vetoed(const PlanInput& input, Effects& out);
  std::optional<Guard> veto(const PlanInput& input) const;
  void skip_remaining_disruptive_steps(const Guard& guard, const PlanInput& input, Effects& out);
  Guard step_waits_for(const PlanInput& input) const;
  void give_up_waiting(const Guard& guard, const PlanInput& input, Effects& out);
  void hold_back(const Guard& guard, const PlanInput& input, Effects& out);
  void wait_for(const Guard& guard, const PlanInput& input, Effects& out);
  void refuse_step(const std::string& text, const PlanInput& input, Effects& out);
  void commit_step(Effects& out);
  void advance(const PlanInput& input, Effects& out);
  void step_failed(const PlanInput& input, Effects& out);
  enum class After { step, last_step };
  void verify(const Verify& verify, After after, const PlanInput& input, Effects& out);
  void verify_failed(const PlanInput& input, Effects& out);
  bool was_refused() const;
  void finish(RecoveryState outcome, const PlanInput& input, Effects& out);
  void finally_from(std::size_t step, const PlanInput& input, Effects& out);
  void close(const PlanInput& input, Effects& out);
  void closed(const PlanInput& input, Effects& out);
  void say(Effect::Kind kind, Effects& out) const { out.push_back({kind, {}, run_.report}); }
  void say_progress(Effects& out) const;
  bool all_good(int threshold, const PlanInput& input) const;
  std::string good_runs_text() const;
  // plan_slot.cc
  bool needs_slot() const;  // the step that is about to be committed
  bool is_barred() const;   // the current step, because the slot is lost
  void ask_slot(Effects& out);
  void leave_slot(Effects& out);
  void acquire(const PlanInput& input, Effects& out);
  void slot_given(const PlanInput& input, Effects& out);
  void slot_refused(const Guard& guard, const PlanInput& input, Effects& out);
  void slot_silent(const PlanInput& input, Effects& out);
  void give_up_start(const PlanInput& input, Effects& out);
  void go_without_slot(const PlanInput& input, Effects& out);
  // plan_stop.cc
  std::optional<std::string> stop_reason(const PlanInput& input) const;
  bool stops(const PlanInput& input, Effects& out);
  void forget_abort(Effects& out);
  bool is_watched() const;
  bool rehearses() const { return run_.report.mode == RecoveryMode::dry_run; }
  // plan.cc
  void enter(Phase phase, PhaseData data);
  void decide(const PlanInput& input, Effects& out);
  void note_health(const PlanInput& input, Effects& out);
  void reset_if_due(const PlanInput& input, Effects& out);

  const PlanSpec* spec_;
  base::Random* random_;
  Phase phase_ = Phase::idle;
  BudgetUsage usage_;    // durable
  BudgetUsage pending_;  // what the commit under way makes durable
  Run run_;
  model::Alert alert_;
  bool firing_ = false;
  bool was_down_ = false;    // the service was, at some time since the alert fires
  bool remembered_ = false;  // the alert is not news: probe first
  bool rehearsed_ = false;   // a dry run has told what it would do for the alert that fires
  bool settling_ = false;    // recovered, and the alert has not resolved yet: nothing is said
  GuardName reason_ = GuardName::none;
  std::optional<base::Instant> healthy_since_, down_since_;
  model::Health last_health_ = model::Health::unknown;
  enum class Slot { none, asked, held, lost } slot_ = Slot::none;
  Guard lost_;  // why, once it is

  Progress progress_;
  std::map<std::string, int> good_runs_;  // in a row, by probe, since the look, the wait or the verification began
  bool commit_failed_ = false;            // the last one; told once

  PhaseData phase_data_;
};

}  // namespace recover
