// The inside of a Dispatcher: carries out the effects of its plans and keeps their lives. Included by dispatcher.cc
// and dispatcher_commit.cc only.
#pragma once

#include <fmt/format.h>
#include <algorithm>
#include <map>

#include "base/log.h"
#include "loop/scheduler.h"
#include "recover/action_run.h"
#include "recover/dispatcher.h"
#include "recover/firing_alerts.h"
#include "recover/operator_watch.h"
#include "recover/orphaned_drains.h"
#include "recover/plan/budget.h"
#include "recover/plan/explain.h"
#include "recover/plan/forgotten.h"
#include "recover/plan/guard.h"
#include "recover/plan/maintenance.h"
#include "recover/plan/node_slots.h"
#include "recover/plan/plan.h"
#include "recover/plan/run.h"
#include "recover/plan/target_guard.h"
#include "recover/plan/unit_guards.h"
#include "recover/plan/unwritten_runs.h"
#include "recover/recheck.h"
#include "recover/recovery_store.h"
#include "recover/unfinished_runs.h"
#include "recover/unit_watch.h"

namespace recover {

struct Dispatcher::Rep {
  using Change = state::Change;

  // Two thirds of it are left for what has begun when a renewal fails; Consul allows no less than 10 s.
  static constexpr base::Millis kSlotTtl{15'000};

  // A service's plan with everything that is under way for it.
  struct Active {
    std::unique_ptr<PlanSpec> spec;
    std::unique_ptr<PlanSpec> next;              // from a reload during a run
    bool removed = false;                        // by a reload during a run
    std::uint64_t added_by = 0, removed_by = 0;  // numbers of replace()
    bool acted = false;                          // after the last input it was one of the plans that act
    std::optional<Plan> plan;
    ActionRun action;
    OperatorWatch people;
    Recheck recheck;
    loop::Handle slot;  // asked for or held
    loop::Handle timer, reload;
    loop::Handle turn;  // of an action that waits until another one has ended
    std::optional<base::Instant> timer_at;
    std::map<std::string, base::Instant> good_runs;         // the latest of each probe
    std::uint64_t commit = 0;                               // number of the commit that durable() is told about
    loop::Handle commit_limit;                              // of that commit
    std::function<void(base::Result<std::string>)> person;  // who started the run and waits for its intent
  };

  Rep(Options o, Context c, state::State& s, ServiceView& w, Callbacks l)
      : options(std::move(o)),
        context(std::move(c)),
        state(s),
        service_view(w),
        random(options.seed),
        started(context.scheduler.now()),
        store(state, context.scheduler),
        node(state, context.scheduler, options.limits),
        node_slots(context.scheduler, options.limits.plans_at_once),
        slots(options.slots != nullptr ? *options.slots : node_slots),
        maintenance(state, context.scheduler),
        units(context.systemd, context.scheduler),
        reports(std::move(l), context.page),
        orphaned_drains(context, reports, random) {
    note_forgotten(state, context.scheduler);
    slots.on_free([this, still = std::weak_ptr(alive)] {
      if (!still.expired()) wake_waiting();
    });
  }

  Options options;
  Context context;
  state::State& state;
  ServiceView& service_view;
  base::Random random;
  base::Instant started;
  RecoveryStore store;
  NodeBudget node;
  UnwrittenRuns unwritten_runs{context.scheduler, started};
  std::map<std::string, std::vector<Change>> unwritten_closes{};  // of runs that ended, by service
  loop::Handle closes_again;
  NodeSlots node_slots;
  Slots& slots;
  Maintenance maintenance;
  UnitWatch units;
  Reports reports;
  OrphanedDrains orphaned_drains;
  FiringAlerts alerts;
  std::map<std::string, std::unique_ptr<Active>> active;
  UnfinishedRuns unfinished_runs{store};
  std::map<std::string, loop::Handle> adopted;  // slots of unfinished runs, by service, until their plans are there
  std::uint64_t replacements = 0;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  // commits answer after the Dispatcher may be gone

  Active* find(const std::string& service) const {
    const auto found = active.find(service);
    return found == active.end() ? nullptr : found->second.get();
  }

  PlanInput input(const Active& a) const {
    PlanInput s;
    s.now = context.scheduler.now();
    s.wall = context.scheduler.wall_now();
    s.agent_started = started;
    s.impairments = service_view.impairments();
    s.health = service_view.service_health(a.spec->service);
    s.uptime = service_view.service_uptime(a.spec->service);
    for (const std::string& name : a.spec->depends_on)
      s.dependencies.push_back({name, service_view.service_health(name), service_view.latest(name)});
    s.changed = service_view.changed(a.spec->service);
    s.maintenance = maintenance.hold(a.spec->service, &a.spec->maintenance);
    s.paused = maintenance.pause(node.pause_file(), a.spec->maintenance);
    look_at_units(a, s);
    a.people.tell(s);
    s.slots = slots.seen(a.spec->service);
    s.node_budget = node.budget();
    const Step* step = a.plan->healing_step();
    s.target = target_guard(step != nullptr ? a.spec->targets(*step) : std::vector<std::string>{}, used_by_others(a));
    return s;
  }

  // What other plans work on. From the intent on: of two that decide in one turn the second one sees the first.
  std::vector<TargetUse> used_by_others(const Active& a) const;
  // Guards have asked whether another action works on its target; steps of `finally` have none.
  bool must_wait(const Active& a) const;
  // What an action that may heal would change is still being gathered; then it begins by itself.
  bool waits_for_evidence(Active& a);

  // The service's own unit, and the one that the step which comes works on.
  void look_at_units(const Active& a, PlanInput& s) const {
    const Step* step = a.plan->healing_step();
    const std::string needed = step != nullptr ? step->action->needed_unit() : "";
    std::vector<std::string> names{a.spec->unit};
    if (needed != a.spec->unit) names.push_back(needed);
    for (const std::string& name : names) {
      if (name.empty()) continue;
      if (!s.stopped) s.stopped = units.stopped(a.spec->service, name);
      s.unit = merged(std::move(s.unit),
                      unit_guards(units.view(a.spec->service, name), name == needed ? Needed::yes : Needed::no, s.now));
    }
    if (const UnitView own = units.view(a.spec->service, a.spec->unit); own.known == UnitView::Known::loaded)
      s.start_timeout = start_timeout(own.state);
    if (!s.uptime) return;
    const bool ready = std::all_of(a.spec->probes.begin(), a.spec->probes.end(), [&](const std::string& probe) {
      const auto good = a.good_runs.find(probe);
      return good != a.good_runs.end() && good->second > s.now - *s.uptime;
    });
    if (!ready) s.since_start = PlanInput::Since::never_ready;
  }

  // Those that wait for what the node shares do not wait for their next look.
  void wake_waiting() {
    context.scheduler.post([this, still = std::weak_ptr(alive)] {
      if (still.expired()) return;
      for (auto& [service, a] : active)
        if (a->plan->phase() == Phase::blocked && (is_of_node(a->plan->reason()) || is_of_fleet(a->plan->reason())))
          apply(*a, a->plan->wake(input(*a)));
    });
  }

  // After a commit that changes a guard: the plan looks again, then `done`.
  std::function<void(base::Result<>)> then_wake(const std::string& service, std::function<void(base::Result<>)> done) {
    return [this, still = std::weak_ptr(alive), service, done = std::move(done)](base::Result<> result) {
      if (still.expired()) return;
      if (Active* owner = find(service); result && owner != nullptr) apply(*owner, owner->plan->wake(input(*owner)));
      if (done) done(std::move(result));
    };
  }

  // systemd has told something of one of the service's units.
  void unit_changed(const std::string& service) {
    Active* there = find(service);
    if (there == nullptr) return;
    const GuardName reason = there->plan->reason();
    const bool waits =
        there->plan->phase() == Phase::waiting ||
        (there->plan->phase() == Phase::blocked && (is_of_unit(reason) || reason == GuardName::stopped_by_operator));
    if (waits) apply(*there, there->plan->wake(input(*there)));
  }

  // ---- effects

  void apply(Active& a, Effects effects) {
    for (Effect& effect : effects) carry_out(a, effect);
    settle(a);
  }

  void carry_out(Active& a, Effect& effect) {
    switch (effect.kind) {
      case Effect::Kind::commit_intent: commit_intent(a); break;
      case Effect::Kind::commit_close: commit_close(a); break;
      case Effect::Kind::commit_progress: store.write(store.progress(*a.plan), "progress of a recovery"); break;
      case Effect::Kind::commit_budget: store.write(store.budget(*a.plan), "a budget"); break;
      case Effect::Kind::acquire_slot: acquire_slot(a); break;
      case Effect::Kind::release_slot: release_slot(a); break;
      case Effect::Kind::start_action: start_action(a); break;
      case Effect::Kind::probe_now: service_view.probe_now(a.spec->service); break;
      case Effect::Kind::look: look(a, a.spec->depends_on); break;
      case Effect::Kind::look_at_unit: look(a, {}); break;
      case Effect::Kind::report: reports.say(effect.report); break;
      case Effect::Kind::action_ended: reports.action_ended(effect.report); break;
      case Effect::Kind::blocked: blocked(a, effect.guard); break;
      case Effect::Kind::exhausted: reports.exhausted(*a.spec, effect.text); break;
      case Effect::Kind::page: reports.page(*a.spec, effect.text); break;
    }
  }

  // In dispatcher_commit.cc. A commit that the plan waits for.
  void commit_intent(Active& a);
  void commit_close(Active& a);
  void commit(Active& a, std::vector<Change> changes);
  void committed(Active& a, const base::Result<>& written);
  void settle_commit(const std::string& service, std::uint64_t number, const base::Result<>& written);
  base::Result<> go_on_unwritten(Active& a, const base::Error& why);
  void write_closes();
  static bool reboots(const PlanSpec& spec);

  SlotRequest request(const std::string& service, const std::string& recovery) const {
    return {service, recovery, kSlotTtl, context.scheduler.now() + Plan::kSlotLimit};
  }

  void acquire_slot(Active& a) {
    const std::string service = a.spec->service;
    SlotRequest wanted = request(service, a.plan->run().report.id);
    wanted.by_person = a.plan->run().by_person();
    wanted.of_rollout = a.plan->run().only.has_value();
    wanted.reboots = reboots(*a.spec);
    a.slot = slots.acquire(
        wanted,
        [this, service](const SlotAnswer& answer) {
          Active* there = find(service);
          if (there == nullptr) return;
          const bool given = answer.kind == SlotAnswer::Kind::yes;
          const auto person = given ? nullptr : std::exchange(there->person, nullptr);
          apply(*there, there->plan->slot(answer, input(*there)));
          if (person) person(not_recovered(service, to_string(answer.guard)));
        },
        [this, service](const Guard& why) {
          Active* there = find(service);
          if (there == nullptr) return;
          base::log::warn("the slot of a recovery is lost; what it has begun is ended, and no more",
                          {{"service", service}, {"text", why.text}});
          apply(*there, there->plan->slot_lost(why, input(*there)));
        });
  }

  void release_slot(Active& a) {
    a.slot.reset();
    slots.release(a.spec->service);
  }

  // What an agent before this one left unfinished comes first: its slots are taken before any plan asks.
  void adopt_slots() {
    for (const auto& [service, recovery] : unfinished_runs.acting())
      adopted[service] = slots.acquire(
          request(service, recovery), [](const SlotAnswer&) {}, [](const Guard&) {});
  }

  static base::Result<std::string> not_recovered(const std::string& service, const std::string& why) {
    return base::fail(base::Kind::unavailable, fmt::format("{} is not recovered: {}", service, why));
  }

  void turn_came(const std::string& service) {
    Active* there = find(service);
    if (there == nullptr || there->plan->phase() != Phase::acting) return;
    const bool spent = there->plan->acts() && there->plan->current_step().action->may_heal();
    Effects effects = there->plan->turn_came(input(*there));
    if (spent && there->plan->phase() != Phase::acting) node.give_back();
    apply(*there, std::move(effects));
  }

  void start_action(Active& a) {
    const std::string service = a.spec->service;
    if (must_wait(a)) {
      a.turn = context.scheduler.after(Plan::kRetry, [this, service] { turn_came(service); });
      return;
    }
    if (waits_for_evidence(a)) return;
    if (a.plan->work_on_unit() == UnitWork::acting) units.action_begins(service);
    const auto stopped = [this, service]() -> std::optional<std::string> {
      const Active* there = find(service);
      return there != nullptr ? there->plan->step_stopped(input(*there)) : std::nullopt;
    };
    a.action.start(context, *a.plan, options.node, service_view.service_health(service), stopped,
                   [this, service](ActionResult result, base::Duration took) {
                     Active* there = find(service);
                     if (there != nullptr && result.result == ActionStatus::refused && there->plan->acts() &&
                         there->plan->current_step().action->may_heal())
                       node.give_back();
                     if (there != nullptr)
                       apply(*there, there->plan->action_done(std::move(result), took, input(*there)));
                     wake_waiting();
                   });
  }

  void look(Active& a, const std::vector<std::string>& dependencies) {
    const auto& attempts = a.plan->usage().attempts;
    std::optional<base::WallTime> acted;
    if (!attempts.empty())
      acted = context.scheduler.wall_now() -
              std::chrono::duration_cast<base::Millis>(context.scheduler.now() - attempts.back());
    a.recheck.start(context.scheduler, a.spec->service, dependencies, units, service_view,
                    a.people.questions(context, *a.spec, acted), [this, service = a.spec->service] {
                      if (Active* there = find(service)) apply(*there, there->plan->looked(input(*there)));
                    });
  }

  void blocked(Active& a, GuardName reason) {
    // Remembered, so that a crash does not forget the alert.
    if (!a.plan->running()) store.write(store.budget(*a.plan), "a waiting alert");
    reports.blocked(a.spec->service, reason);
  }

  // ---- life of a plan

  // After every input: the timer, and a reload that waited for the end of a run.
  void settle(Active& a) {
    const bool acted = std::exchange(a.acted, a.plan->acts());
    if (a.acted && !acted) orphaned_drains.forget(a.spec->service);
    if (acted && !a.acted) undrain_if_left(a);
    if (a.person && !a.plan->under_way())
      std::exchange(a.person, nullptr)(not_recovered(a.spec->service, "it was stopped before it began"));
    const auto wake_at = a.plan->wake_at();
    if (wake_at != a.timer_at) {
      a.timer_at = wake_at;
      a.timer.reset();
      if (wake_at)
        a.timer = context.scheduler.at(*wake_at, [this, service = a.spec->service] {
          Active* there = find(service);
          if (there == nullptr) return;
          there->timer_at.reset();
          apply(*there, there->plan->wake(input(*there)));
        });
    }
    if (a.plan->under_way() || (!a.next && !a.removed)) return;
    // In a turn of its own: callers still hold `a`.
    a.reload = context.scheduler.after({}, [this, service = a.spec->service] { finish_reload(service); });
  }

  void finish_reload(const std::string& service) {
    const auto found = active.find(service);
    if (found == active.end() || found->second->plan->under_way()) return;
    if (found->second->removed) {
      remove(found);
      wake_waiting();
      return;
    }
    Active& a = *found->second;
    if (!a.next) return;
    const loop::Handle own = std::move(a.reload);
    adopt(a, std::move(a.next));
  }

  // During a run. Another plan, or another mode: the run that goes by the old one is stopped.
  void exchange(Active& a, std::unique_ptr<PlanSpec> spec) {
    std::string why;
    if (spec->mode != a.spec->mode) why = fmt::format("its mode is {} now", to_string(spec->mode));
    else if (spec->text != a.spec->text) why = "its plan was changed";
    a.next = std::move(spec);
    a.removed = false;
    if (!why.empty()) apply(a, a.plan->halt(why, input(a)));
  }

  void adopt(Active& a, std::unique_ptr<PlanSpec> spec) {
    const bool same_usage = spec->mode == a.spec->mode;
    const std::unique_ptr<PlanSpec> old = std::exchange(a.spec, std::move(spec));
    if (same_usage) a.plan->adopt(*a.spec);
    else {
      const bool waits = a.plan->alert_firing(), was_down = a.plan->was_down();
      a.plan.emplace(*a.spec, store.usage(*a.spec), random);
      if (waits) a.plan->remember(was_down);
      apply(a, a.plan->health(input(a)));
    }
    follow_unit(a);
    orphaned_drains.forget(a.spec->service);  // it may have another place now
    undrain_if_left(a);
    follow_alerts(a);
    apply(a, a.plan->wake(input(a)));
  }

  void follow_unit(const Active& a) {
    const auto work = [this, service = a.spec->service] {
      const Active* there = find(service);
      return there != nullptr ? there->plan->work_on_unit() : UnitWork::none;
    };
    units.follow(a.spec->service, a.spec->units(), work, [this, service = a.spec->service] { unit_changed(service); });
  }

  // Tells the plan whether one of its alerts fires.
  void follow_alerts(Active& a) {
    if (a.spec->when_down) return;  // the plan itself sees how its service is
    if (const model::Alert* alert = alerts.of(*a.spec)) apply(a, a.plan->firing(*alert, input(a)));
    else if (a.plan->alert_firing()) apply(a, a.plan->resolved(input(a)));
  }

  void add(std::unique_ptr<PlanSpec> spec) {
    auto owned = std::make_unique<Active>();
    Active& a = *owned;
    a.spec = std::move(spec);
    a.added_by = replacements;
    a.plan.emplace(*a.spec, store.usage(*a.spec), random);
    active[a.spec->service] = std::move(owned);
    follow_unit(a);
    if (const auto was_down = unfinished_runs.waited(a.spec->service)) a.plan->remember(*was_down);
    apply(a, a.plan->health(input(a)));
    if (auto run = unfinished_runs.run_of(*a.spec)) {
      if (!run->alert.labels.empty()) alerts.remember(run->alert);
      apply(a, a.plan->resume(*std::move(run), input(a)));
      adopted.erase(a.spec->service);  // it asks itself
    }
    undrain_if_left(a);
    follow_alerts(a);
  }

  // Traffic that an agent took away before it ended and that no unfinished run will give back, or that a run which has
  // ended could not give back.
  void undrain_if_left(Active& a) {
    if (a.spec->mode != RecoveryMode::dry_run && !a.plan->running()) orphaned_drains.check(a.spec->service);
  }

  // Of services that have no plan, or whose traffic is not configured any more.
  void undrain_others() {
    if (context.traffic_controller == nullptr) return;
    for (const std::string& service : context.traffic_controller->all_left_drained())
      if (const Active* a = find(service); a == nullptr || !a->plan->acts()) orphaned_drains.check_once(service);
  }

  std::map<std::string, std::unique_ptr<Active>>::iterator remove(
      std::map<std::string, std::unique_ptr<Active>>::iterator at) {
    const std::string service = at->first;
    units.forget(service);
    at = active.erase(at);
    orphaned_drains.forget(service);
    orphaned_drains.check(service);
    return at;
  }
};

}  // namespace recover
