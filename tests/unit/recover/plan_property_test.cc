// The machine of one plan under any order of events, with crashes at every step: what must hold is checked after each
// input, over many random sequences. A failure prints its seed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "fakes/scripted_action.h"
#include "recover/plan/plan.h"

using model::ActionStatus;
using model::Health;
using Answer = recover::SlotAnswer::Kind;
using recover::Effect;
using recover::Part;
using recover::Phase;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr int kSequences = 4000, kInputs = 120;

constexpr std::array kInvariants{
    "never two actions of a service at once",
    "never an action without a durable intent that names it",
    "never a step twice in a run, over crashes too",
    "never more attempts within the window than the budget has",
    "never a healing action that the node's budget refused, unless a person asked",
    "never a run that starts while a guard is closed, but for the steps that heal nothing",
    "never a restart while a dependency is known to be down, or failed its last probe, when its run starts",
    "the first restart of a run is preceded by a look at unit and dependencies that nothing came after but its slot "
    "and "
    "its commit, "
    "or by ten seconds in which nobody answered; unless a person asked",
    "never that restart while somebody has stopped the unit, or a dependency fails",
    "what becomes of the unit is never the plan's doing before that restart has begun",
    "never anything on a service without a verdict",
    "a cleared alert never ends a running action",
    "finally steps at least once after a run that acted: never left drained",
    "every intent is closed in the end, and every report ends",
    "never a step after people have stopped the run, or while maintenance or a pause is on",
    "no step that interrupts the service begins without a slot, unless the restart is left out",
    "one slot at a time, asked for once",
    "a slot is given back with the end of a run, and while it waits for a person, a unit or a dependency",
    "a lost slot never ends a running action",
    "never a healing step while systemd is starting the unit, but the first of a run that a person asked for",
};

struct Asking final : recover::Action {
  loop::Handle run(const recover::Context&, const recover::Trigger&, base::Instant,
                   std::function<void(recover::ActionResult)>) const override {
    return {};
  }
  std::string text() const override { return "ask"; }
  bool may_heal() const override { return false; }
  bool waits_for_person() const override { return true; }
};

fakes::ActionScript heals, drains{.heals = false, .traffic = true, .drains = true},
    harmless{.heals = false, .traffic = true};

recover::PlanSpec spec_of(std::uint64_t seed) {
  recover::PlanSpec spec;
  spec.service = "order";
  spec.unit = "order.service";
  spec.mode = seed % 7 == 0 ? model::RecoveryMode::ask : model::RecoveryMode::enforce;
  spec.probes = {"http"};
  spec.depends_on = {"redis"};
  spec.when = {{"alert", "ServiceDown"}};
  spec.budget.attempts = 2;
  if (seed % 3 == 0) spec.flapping = recover::Flapping{5, minutes{10}};
  spec.steps.push_back(fakes::scripted_step("drain", drains));
  spec.steps.push_back(fakes::scripted_step("restart", heals));
  spec.steps.back().verify = recover::Verify{1, base::Millis{10'000}};
  if (seed % 2 == 0)
    spec.steps.push_back(
        recover::Step{"ask", std::make_unique<Asking>(), base::Millis{60'000}, recover::OnFailure::escalate, {}});
  spec.steps.push_back(fakes::scripted_step("reboot", heals));
  if (seed % 5 == 0) spec.steps.back().on_failure = recover::OnFailure::stop;
  spec.finally.push_back(fakes::scripted_step("undrain", harmless));
  return spec;
}

// One plan, its disk, its service and its node; inputs come from outside.
class Site {
 public:
  Site(std::uint64_t seed, std::set<std::string>& states) : spec_(spec_of(seed)), random_(seed), states_(states) {
    now_.now = base::Instant{std::chrono::hours{10}};
    now_.wall = base::wall_from_ms(1'700'000'000'000);
    now_.agent_started = now_.now - minutes{10};
    now_.health = Health::down;
    now_.dependencies = {{"redis", Health::up}};
    alert_.labels = model::Labels{{"alertname", "ServiceDown"}, {"service", "order"}};
    alert_.state = model::AlertState::firing;
    plan_.emplace(spec_, recover::BudgetUsage{}, random_);
  }

  void random_input() {
    const auto chance = [this](int n) { return static_cast<int>(random_.next() % static_cast<std::uint64_t>(n)); };
    switch (chance(22)) {
      case 0:
      case 1: fire(); break;
      case 2: resolve(); break;
      case 3:
      case 4:
      case 5: answer(chance(8) != 0); break;
      case 6:
      case 7: end_action(chance(3) == 0 ? ActionStatus::failed : ActionStatus::ok); break;
      case 8:
      case 9: probe(); break;
      case 10: health(std::array{Health::up, Health::down, Health::down, Health::unknown}[chance(4)]); break;
      case 11: guards(chance(10)); break;
      case 12:
      case 13: wait(std::array<base::Millis, 4>{seconds{1}, seconds{11}, minutes{1}, minutes{6}}[chance(4)]); break;
      case 14: person(chance(5)); break;
      case 15:
        if (chance(3) == 0) crash(chance(2) == 0);
        break;
      case 16:
      case 17: look_ends(); break;
      case 18:
      case 19: slot(Answer::yes); break;
      case 20: slot(std::array{Answer::yes, Answer::yes, Answer::no, Answer::unknown}[chance(4)]); break;
      case 21:
        if (chance(2) == 0) lose_slot();
        break;
    }
  }

  // Everything is well from now on: what is under way comes to its end.
  void settle() {
    now_.maintenance.reset();
    now_.impairments.clear();
    now_.slots[0].open = now_.node_budget.open = true;
    now_.dependencies = {{"redis", Health::up, Health::up}};
    now_.stopped.reset();
    now_.changed.reset();
    now_.unit.clear();
    health(Health::up);
    resolve();
    for (int i = 0; i < 400 && (plan_->phase() != Phase::idle || pending_ != Pending::none); ++i) {
      answer(true);
      look_ends();
      slot(Answer::yes);
      end_action(ActionStatus::ok);
      probe();
      wait(seconds{i < 200 ? 1 : 30});
      if (i == 200) carry(plan_->approve("test", now_));
    }
    expect(plan_->phase() == Phase::idle,
           "every intent is closed in the end: the plan is " + std::string(to_string(plan_->state())));
    expect(!drained_, "left drained");
    expect(!disk_intent_.has_value(), "an intent is left");
    expect(open_reports_.empty(), "a report without an end");
    expect(slot_ == Slot::none, kInvariants[17]);
  }

  std::string broken;  // the first invariant that did not hold

 private:
  enum class Pending { none, intent, close };
  enum class Slot { none, asked, held, unknown };  // unknown: it may be taken, and must be given back

  void expect(bool holds, const std::string& what) {
    if (!holds && broken.empty()) broken = what;
  }
  void fire() { carry(plan_->firing(alert_, now_)); }
  void resolve() {
    const bool acting = plan_->phase() == Phase::acting;
    carry(plan_->resolved(now_));
    if (acting) expect(plan_->phase() == Phase::acting, kInvariants[11]);
  }
  void answer(bool kept) {
    if (pending_ == Pending::none) return;
    const Pending was = std::exchange(pending_, Pending::none);
    if (!kept) return carry(plan_->durable(base::fail(base::Kind::io, "full"), now_));
    keep(was);
    carry(plan_->durable({}, now_));
  }
  void keep(Pending what) {
    disk_usage_ = to_json(plan_->usage_to_commit(), now_.now, now_.wall);
    if (what == Pending::intent) disk_intent_ = to_json(plan_->run());
    else disk_intent_.reset();
  }
  void end_action(ActionStatus result) {
    if (!running_) return;
    running_ = false;
    const recover::Step& step = plan_->current_step();
    if (step.text == "drain") drained_ = true;
    if (step.text == "undrain") drained_ = false;  // one that fails is given back by OrphanedDrains, as its test says
    carry(plan_->action_done({result, ""}, seconds{1}, now_));
  }
  void look_ends() {
    if (!look_asked_) return;
    look_asked_.reset();
    look_good_ = true;
    carry(plan_->looked(now_));
  }
  void slot(Answer kind) {
    if (slot_ != Slot::asked) return;
    slot_ = kind == Answer::no ? Slot::none : kind == Answer::yes ? Slot::held : Slot::unknown;
    carry(plan_->slot({kind, {recover::GuardName::node_busy, kind == Answer::yes, ""}}, now_));
  }
  void lose_slot() {
    if (slot_ != Slot::held) return;
    slot_ = Slot::none;
    const bool acting = plan_->phase() == Phase::acting;
    carry(plan_->slot_lost({recover::GuardName::node_busy, false, "away"}, now_));
    if (acting) expect(plan_->phase() == Phase::acting, kInvariants[18]);
  }
  void probe() {
    if (plan_->wants_runs()) carry(plan_->probe_ran("http", now_.health == Health::up, now_));
  }
  void health(Health to) {
    now_.health = to;
    carry(plan_->health(now_));
  }
  void guards(int which) {
    switch (which) {
      case 0: now_.maintenance = now_.maintenance ? std::nullopt : std::optional(recover::Hold{"deploy"}); break;
      case 1:
        now_.dependencies[0].health = now_.dependencies[0].health == Health::up ? Health::down : Health::up;
        break;
      case 6:
        now_.dependencies[0].latest = now_.dependencies[0].latest == Health::up ? Health::down : Health::up;
        break;
      case 7: now_.stopped = now_.stopped ? std::nullopt : std::optional<std::string>("stopped"); break;
      case 2: now_.slots[0].open = !now_.slots[0].open; break;
      case 3: now_.node_budget.open = !now_.node_budget.open; break;
      case 4:
        if (now_.impairments.empty()) now_.impairments = {{"stall", "stood still", now_.now + seconds{30}}};
        else now_.impairments.clear();
        break;
      case 8:
        if (now_.unit.empty()) now_.unit = {{recover::GuardName::unit_starting, false, "order.service is activating"}};
        else now_.unit.clear();
        break;
      case 9: now_.changed = model::NodeChange{now_.wall, "order", model::ChangeKind::program, "/usr/bin/order"}; break;
      case 5: now_.paused = now_.paused ? std::nullopt : std::optional(recover::Hold{"paused"}); break;
    }
    carry(plan_->wake(now_));
  }
  void wait(base::Millis d) {
    const base::Instant end = now_.now + d;
    for (int i = 0; i < 20; ++i) {
      const auto at = plan_->wake_at();
      if (!at || *at > end) break;
      move_to(std::max(*at, now_.now));
      carry(plan_->wake(now_));
    }
    move_to(end);
  }
  void move_to(base::Instant t) {
    now_.wall += std::chrono::duration_cast<base::Millis>(t - now_.now);
    now_.now = t;
  }
  void person(int what) {
    if (what == 0) return carry(plan_->approve("alice", now_));
    if (what >= 3) return stop(what == 3 ? plan_->abort("alice", now_) : plan_->halt("its plan was changed", now_));
    if (plan_->running()) return;
    const auto open = evaluate_guards(spec_, plan_->usage(), now_);
    if (what == 1 && plan_->usage().exhausted) {
      plan_->acknowledge();
      attempts_.clear();
      disk_usage_ = to_json(plan_->usage_to_commit(), now_.now, now_.wall);
      return carry(plan_->wake(now_));
    }
    if (what == 2 && first_closed_to_person(open) == nullptr) {
      carry(plan_->start("operator", now_));
    }
  }
  // Whoever stops a run writes that down.
  void stop(const recover::Effects& effects) {
    if (plan_->running()) halted_ = plan_->run().report.id;
    disk_usage_ = to_json(plan_->usage_to_commit(), now_.now, now_.wall);
    carry(effects);
  }
  // The agent dies and starts again with what its disk has; the commit under way was kept or not.
  void crash(bool kept) {
    if (pending_ != Pending::none && kept) keep(pending_);
    if (running_ && plan_->current_step().text == "drain") drained_ = true;  // it may have worked
    pending_ = Pending::none;
    running_ = false;
    look_asked_.reset();
    slot_ = Slot::none;
    const bool waited = plan_->alert_firing();
    const bool was_down = plan_->was_down();
    recover::BudgetUsage usage;
    if (disk_usage_) usage = *recover::parse_usage(*disk_usage_, now_.now, now_.wall);
    // A configuration that stopped the run is another one after the crash; who aborted it stays known.
    if (usage.aborted.empty() && !(disk_intent_ && !recover::parse_run(*disk_intent_)->stop.empty())) halted_.clear();
    open_reports_.clear();
    plan_.emplace(spec_, std::move(usage), random_);
    if (waited) plan_->remember(was_down);
    carry(plan_->health(now_));
    if (disk_intent_) carry(plan_->resume(*recover::parse_run(*disk_intent_), now_));
    if (waited) fire();
  }

  void carry(const recover::Effects& effects) {
    for (const Effect& effect : effects) carry_out(effect);
    const recover::Run& run = plan_->run();
    if (plan_->work_on_unit() != recover::UnitWork::none)
      expect(run.part == Part::finally || run.step > *spec_.first_healing() || running_ || run.step_done ||
                 plan_->phase() == Phase::verifying,
             kInvariants[9]);
    const bool waits = plan_->phase() == Phase::asking || plan_->phase() == Phase::waiting || run.non_disruptive;
    if (!plan_->under_way() || waits) expect(slot_ == Slot::none, kInvariants[17]);
    states_.insert(fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", static_cast<int>(plan_->phase()),
                               to_string(plan_->reason()), static_cast<int>(run.part), run.step, run.non_disruptive,
                               run.by_operator, run.unverified, plan_->alert_firing(), plan_->usage().exhausted,
                               plan_->usage().flapping, drained_, running_, static_cast<int>(slot_),
                               plan_->usage().failures, plan_->usage().attempts.size()));
  }
  void carry_out(const Effect& effect) {
    const recover::Run& run = plan_->run();
    switch (effect.kind) {
      case Effect::Kind::commit_intent: intent(run); break;
      case Effect::Kind::commit_close: pending_ = Pending::close; break;
      case Effect::Kind::commit_progress: disk_intent_ = to_json(run); break;
      case Effect::Kind::commit_budget: disk_usage_ = to_json(plan_->usage_to_commit(), now_.now, now_.wall); break;
      case Effect::Kind::acquire_slot:
        expect(slot_ == Slot::none, kInvariants[16]);
        slot_ = Slot::asked;
        break;
      case Effect::Kind::release_slot: slot_ = Slot::none; break;
      case Effect::Kind::start_action: start(run); break;
      case Effect::Kind::look:
      case Effect::Kind::look_at_unit:
        look_asked_ = now_.now;
        look_good_ = false;
        break;
      case Effect::Kind::report:
        if (effect.report.ended) open_reports_.erase(effect.report.id);
        else open_reports_.insert(effect.report.id);
        break;
      default: break;
    }
  }
  bool veto() const {
    return now_.stopped || now_.dependencies[0].health == Health::down || now_.dependencies[0].latest == Health::down;
  }
  void intent(const recover::Run& run) {
    pending_ = Pending::intent;
    const recover::Step& step = plan_->current_step();
    const bool in_steps = run.part == Part::steps;
    const bool restarts = in_steps && step.action->may_heal();
    const bool first = in_steps && spec_.first_healing() == run.step && !run.by_operator && !run.non_disruptive;
    if (first) {
      expect(look_good_ || (look_asked_ && now_.now - *look_asked_ >= recover::Plan::kRecheckLimit), kInvariants[7]);
      expect(!veto(), kInvariants[8]);
    }
    look_good_ = false;
    if (in_steps && step.action->disrupts() && !run.non_disruptive) expect(slot_ == Slot::held, kInvariants[15]);
    if (restarts && !run.by_operator) expect(now_.node_budget.open, kInvariants[4]);
    if (!in_steps || run.by_operator || run.report.id == last_run_) return;
    last_run_ = run.report.id;  // its first intent: this is where guards decide
    const auto asked = evaluate_guards(spec_, plan_->usage(), now_);
    if (run.non_disruptive) expect(first_that_skips_disruption(spec_, asked) != nullptr, kInvariants[5]);
    else expect(first_closed(asked) == nullptr, kInvariants[5]);
    if (!run.non_disruptive)
      expect(now_.dependencies[0].health != Health::down && now_.dependencies[0].latest != Health::down,
             kInvariants[6]);
    expect(now_.health != Health::unknown, kInvariants[10]);
  }
  void start(const recover::Run& run) {
    expect(!running_, kInvariants[0]);
    running_ = true;
    const auto kept = disk_intent_ ? recover::parse_run(*disk_intent_) : base::fail(base::Kind::not_found, "");
    expect(kept && kept->report.id == run.report.id && kept->part == run.part && kept->step == run.step,
           kInvariants[1]);
    if (run.part != Part::steps) return;
    expect(!now_.maintenance && !now_.paused && run.report.id != halted_, kInvariants[14]);
    const recover::Step& step = plan_->current_step();
    if (step.action->disrupts() && !run.non_disruptive) expect(slot_ == Slot::held, kInvariants[15]);
    const bool asked = run.by_operator && run.step == spec_.first_healing();
    if (step.action->may_heal() && !asked) expect(now_.unit.empty(), kInvariants[19]);
    if (spec_.first_healing() == run.step && !run.by_operator) expect(!veto(), kInvariants[8]);
    expect(++started_[{run.report.id, run.step}] == 1, kInvariants[2]);
    if (!run.non_disruptive && counted_.insert(run.report.id).second) {
      attempts_.push_back(now_.now);
      std::erase_if(attempts_, [&](base::Instant t) { return t + spec_.budget.within <= now_.now; });
      expect(static_cast<int>(attempts_.size()) <= spec_.budget.attempts, kInvariants[3]);
    }
  }

  recover::PlanSpec spec_;
  base::Random random_;
  std::set<std::string>& states_;
  std::optional<recover::Plan> plan_;
  recover::PlanInput now_;
  model::Alert alert_;
  Pending pending_ = Pending::none;
  std::optional<std::string> disk_usage_, disk_intent_;
  bool running_ = false, drained_ = false, look_good_ = false;
  Slot slot_ = Slot::none;
  std::optional<base::Instant> look_asked_;
  std::string last_run_, halted_;
  std::set<std::string> open_reports_, counted_;
  std::map<std::pair<std::string, std::size_t>, int> started_;
  std::vector<base::Instant> attempts_;
};

}  // namespace

TEST_CASE("any order of events and crashes keeps what a plan promises") {
  std::set<std::string> states;
  int crashed = 0;
  for (int seed = 1; seed <= kSequences && crashed < 3; ++seed) {
    Site site(static_cast<std::uint64_t>(seed), states);
    for (int i = 0; i < kInputs && site.broken.empty(); ++i) site.random_input();
    if (site.broken.empty()) site.settle();
    CAPTURE(seed);
    CHECK(site.broken == "");
    crashed += site.broken.empty() ? 0 : 1;
  }
  std::printf("%d random sequences of %d inputs each reached %zu distinct states; in all of them:\n", kSequences,
              kInputs, states.size());
  for (const char* invariant : kInvariants) std::printf("  %s\n", invariant);
  CHECK(states.size() > 300);
}
