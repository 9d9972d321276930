#include "recover/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "recover/action_run.h"
#include "recover/books.h"
#include "recover/budget.h"
#include "recover/clean_stops.h"
#include "recover/explain.h"
#include "recover/firing_alerts.h"
#include "recover/give_back.h"
#include "recover/guard.h"
#include "recover/leftovers.h"
#include "recover/maintenance.h"
#include "recover/plan.h"
#include "recover/run.h"

namespace recover {
namespace {

using state::Change;

}  // namespace

struct Dispatcher::Rep {
  // A service's plan with everything that is under way for it.
  struct Active {
    std::unique_ptr<PlanSpec> spec;
    std::unique_ptr<PlanSpec> next;  // from a reload during a run
    bool removed = false;            // by a reload during a run
    bool acted = false;              // after the last input it was one of the plans that act
    std::optional<Plan> plan;
    ActionRun action;
    loop::Handle timer, reload;
    std::optional<base::Instant> timer_at;
    std::uint64_t commit = 0;                               // number of the commit that durable() is told about
    std::function<void(base::Result<std::string>)> person;  // who started the run and waits for its intent
  };

  Rep(Options o, Context c, state::State& s, World& w, Listener l)
      : options(std::move(o)),
        context(std::move(c)),
        state(s),
        world(w),
        random(options.seed),
        started(context.scheduler.now()),
        books(state, context.scheduler),
        node(state, context.scheduler, options.limits),
        give_back(context),
        maintenance(state, context.scheduler),
        clean_stops(context.systemd),
        reports(std::move(l), context.page) {}

  Options options;
  Context context;
  state::State& state;
  World& world;
  base::Random random;
  base::Instant started;
  Books books;
  NodeLimit node;
  GiveBack give_back;
  Maintenance maintenance;
  CleanStops clean_stops;
  Reports reports;
  FiringAlerts alerts;
  std::map<std::string, std::unique_ptr<Active>> active;
  Leftovers leftovers{books};
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  // commits answer after the Dispatcher may be gone

  Situation situation(const Active& a) const {
    Situation s;
    s.now = context.scheduler.now();
    s.wall = context.scheduler.wall_now();
    s.agent_started = started;
    s.doubts = world.doubts();
    s.health = world.service_health(a.spec->service);
    s.uptime = world.service_uptime(a.spec->service);
    for (const std::string& name : a.spec->depends_on) s.dependencies.emplace_back(name, world.service_health(name));
    s.maintenance = maintenance.hold(a.spec->service, &a.spec->maintenance);
    s.paused = maintenance.pause(node.pause_file(), a.spec->maintenance);
    s.stopped = clean_stops.text(a.spec->service);
    s.node_busy = node.place(acting(a));
    s.node_budget = node.budget(a.spec->mode);
    return s;
  }

  // Services whose plans hold a place of the node, but for the one that asks.
  std::vector<std::string> acting(const Active& asking) const {
    std::vector<std::string> names;
    for (const auto& [service, other] : active)
      if (other.get() != &asking && other->plan->takes_place()) names.push_back(service);
    for (std::string& name : leftovers.acting(asking.spec->service)) names.push_back(std::move(name));
    return names;
  }

  // A place has become free: those that wait for one do not wait for their next look.
  void wake_waiting() {
    context.scheduler.post([this, still = std::weak_ptr(alive)] {
      if (still.expired()) return;
      for (auto& [service, a] : active)
        if (a->plan->phase() == Phase::blocked && a->plan->reason().starts_with("node_"))
          apply(*a, a->plan->wake(situation(*a)));
    });
  }

  // After a commit that changes a gate: the plan looks again, then `done`.
  std::function<void(base::Result<>)> then_wake(const std::string& service, std::function<void(base::Result<>)> done) {
    return [this, still = std::weak_ptr(alive), service, done = std::move(done)](base::Result<> result) {
      if (still.expired()) return;
      const auto found = active.find(service);
      if (result && found != active.end() && found->second->plan->phase() == Phase::blocked)
        apply(*found->second, found->second->plan->wake(situation(*found->second)));
      if (done) done(std::move(result));
    };
  }

  // ---- effects

  void apply(Active& a, Effects effects) {
    for (Effect& effect : effects) carry_out(a, effect);
    settle(a);
  }

  void carry_out(Active& a, Effect& effect) {
    switch (effect.kind) {
      case Effect::Kind::commit_intent: commit_intent(a); break;
      case Effect::Kind::commit_close: commit(a, books.close(*a.plan)); break;
      case Effect::Kind::commit_progress: books.write(books.progress(*a.plan), "progress of a recovery"); break;
      case Effect::Kind::commit_budget: books.write(books.budget(*a.plan), "a budget"); break;
      case Effect::Kind::start_action: start_action(a); break;
      case Effect::Kind::probe_now: world.probe_now(a.spec->service); break;
      case Effect::Kind::report: reports.say(effect.report); break;
      case Effect::Kind::action_ended: reports.action_ended(effect.report); break;
      case Effect::Kind::blocked: blocked(a, effect.text); break;
      case Effect::Kind::exhausted: reports.exhausted(*a.spec, effect.text); break;
      case Effect::Kind::page: reports.page(*a.spec, effect.text); break;
    }
  }

  void commit_intent(Active& a) {
    std::vector<Change> changes = books.intent(*a.plan);
    if (a.plan->current_step().action->may_heal())
      changes.push_back(node.spend(a.spec->service, a.plan->acts() ? Mode::enforce : Mode::dry_run));
    commit(a, std::move(changes));
  }

  // A commit that the plan waits for.
  void commit(Active& a, std::vector<Change> changes) {
    const std::uint64_t number = ++a.commit;
    state.commit(std::move(changes), [this, still = std::weak_ptr(alive), service = a.spec->service,
                                      number](base::Result<> result) {
      if (still.expired()) return;
      node.settle(service, result ? NodeLimit::Commit::kept : NodeLimit::Commit::lost);
      const auto found = active.find(service);
      if (found == active.end() || found->second->commit != number) return;
      Active& there = *found->second;
      if (!result)
        base::log::error("recovery waits: its intent could not be written and nothing is done without it; trying again",
                         {{"service", service}, {"error", result.error().text}});
      const auto person = std::exchange(there.person, nullptr);
      const std::string id = there.plan->run().report.id;
      apply(there, there.plan->durable(result, situation(there)));
      if (!person) return;
      if (result) person(fmt::format("recovery {} of {} has started", id, service));
      else
        person(base::fail(result.error().kind,
                          "nothing was done: the intent could not be written: " + result.error().text));
    });
  }

  void start_action(Active& a) {
    const std::string service = a.spec->service;
    a.action.start(context, *a.plan, options.node, world.service_health(service),
                   [this, service](ActionResult result, base::Duration took) {
                     const auto found = active.find(service);
                     if (found == active.end()) return;
                     Active& there = *found->second;
                     apply(there, there.plan->action_done(std::move(result), took, situation(there)));
                   });
  }

  void blocked(Active& a, const std::string& reason) {
    // Remembered, so that a crash does not forget the alert.
    if (!a.plan->running()) books.write(books.budget(*a.plan), "a waiting alert");
    reports.blocked(a.spec->service, reason);
  }

  // ---- life of a plan

  // After every input: the timer, and a reload that waited for the end of a run.
  void settle(Active& a) {
    const bool acted = std::exchange(a.acted, a.plan->acts());
    if (a.acted && !acted) give_back.leave(a.spec->service);
    if (acted && !a.acted) {
      wake_waiting();
      put_back(a);
    }
    const auto wake_at = a.plan->wake_at();
    if (wake_at != a.timer_at) {
      a.timer_at = wake_at;
      a.timer.reset();
      if (wake_at)
        a.timer = context.scheduler.at(*wake_at, [this, service = a.spec->service] {
          const auto found = active.find(service);
          if (found == active.end()) return;
          Active& there = *found->second;
          there.timer_at.reset();
          apply(there, there.plan->wake(situation(there)));
        });
    }
    if (a.plan->running() || (!a.next && !a.removed)) return;
    // In a turn of its own: callers still hold `a`.
    a.reload = context.scheduler.after({}, [this, service = a.spec->service] { finish_reload(service); });
  }

  void finish_reload(const std::string& service) {
    const auto found = active.find(service);
    if (found == active.end() || found->second->plan->running()) return;
    if (found->second->removed) {
      remove(found);
      return;
    }
    Active& a = *found->second;
    if (!a.next) return;
    const loop::Handle own = std::move(a.reload);
    adopt(a, std::move(a.next));
  }

  void adopt(Active& a, std::unique_ptr<PlanSpec> spec) {
    const bool same_books = spec->mode == a.spec->mode;
    const std::unique_ptr<PlanSpec> old = std::exchange(a.spec, std::move(spec));
    if (same_books) a.plan->adopt(*a.spec);
    else {
      const bool waits = a.plan->alert_firing(), was_down = a.plan->was_down();
      a.plan.emplace(*a.spec, books.spent(*a.spec), random);
      if (waits) a.plan->remember(was_down);
      apply(a, a.plan->health(situation(a)));
    }
    follow_unit(a);
    give_back.leave(a.spec->service);  // it may have another place now
    put_back(a);
    follow_alerts(a);
    apply(a, a.plan->wake(situation(a)));
  }

  void follow_unit(const Active& a) {
    clean_stops.follow(a.spec->service, a.spec->unit, [this, service = a.spec->service] {
      const auto found = active.find(service);
      return found != active.end() && found->second->plan->acts();
    });
  }

  // Tells the plan whether one of its alerts fires.
  void follow_alerts(Active& a) {
    if (a.spec->when_down) return;  // the plan itself sees how its service is
    if (const model::Alert* alert = alerts.of(*a.spec)) apply(a, a.plan->firing(*alert, situation(a)));
    else if (a.plan->alert_firing()) apply(a, a.plan->resolved(situation(a)));
  }

  void add(std::unique_ptr<PlanSpec> spec) {
    auto owned = std::make_unique<Active>();
    Active& a = *owned;
    a.spec = std::move(spec);
    a.plan.emplace(*a.spec, books.spent(*a.spec), random);
    active[a.spec->service] = std::move(owned);
    follow_unit(a);
    if (const auto was_down = leftovers.waited(a.spec->service)) a.plan->remember(*was_down);
    apply(a, a.plan->health(situation(a)));
    if (auto run = leftovers.run_of(*a.spec)) {
      if (!run->alert.labels.empty()) alerts.remember(run->alert);
      apply(a, a.plan->resume(*std::move(run), situation(a)));
    }
    put_back(a);
    follow_alerts(a);
  }

  // Traffic that an agent took away before it ended and that no unfinished run will give back, or that a run which has
  // ended could not give back.
  void put_back(Active& a) {
    if (a.spec->mode != Mode::dry_run && !a.plan->running()) give_back.look(a.spec->service);
  }

  std::map<std::string, std::unique_ptr<Active>>::iterator remove(
      std::map<std::string, std::unique_ptr<Active>>::iterator at) {
    give_back.leave(at->first);
    clean_stops.forget(at->first);
    return active.erase(at);
  }
};

Dispatcher::Dispatcher(Options options, Context context, state::State& state, World& world, Listener listener)
    : rep_(std::make_unique<Rep>(std::move(options), std::move(context), state, world, std::move(listener))) {
  rep_->leftovers.read(rep_->alerts, rep_->reports);
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::replace(std::vector<std::unique_ptr<PlanSpec>> plans) {
  std::vector<std::string> kept;
  for (auto& spec : plans) {
    if (!spec) continue;
    kept.push_back(spec->service);
    const auto found = rep_->active.find(spec->service);
    if (found == rep_->active.end()) rep_->add(std::move(spec));
    else if (found->second->plan->running()) {
      found->second->next = std::move(spec);
      found->second->removed = false;
    } else rep_->adopt(*found->second, std::move(spec));
  }
  for (auto it = rep_->active.begin(); it != rep_->active.end();) {
    Rep::Active& a = *it->second;
    const bool gone = std::find(kept.begin(), kept.end(), it->first) == kept.end();
    if (gone && a.plan->running()) a.removed = true;
    if (gone && !a.plan->running()) it = rep_->remove(it);
    else ++it;
  }
  if (rep_->leftovers.close(rep_->context.scheduler.wall_now(), rep_->reports)) rep_->wake_waiting();
}

void Dispatcher::on_alert(const model::AlertTransition& transition) {
  const model::Alert& alert = transition.alert;
  if (!rep_->alerts.note(alert)) return;
  const auto found = rep_->active.find(std::string(alert.service()));
  if (found != rep_->active.end() && is_for(*found->second->spec, alert)) rep_->follow_alerts(*found->second);
}

void Dispatcher::on_run(const std::string& service, const std::string& probe, bool up) {
  const auto found = rep_->active.find(service);
  if (found == rep_->active.end() || !found->second->plan->wants_runs()) return;
  Rep::Active& a = *found->second;
  rep_->apply(a, a.plan->probe_ran(probe, up, rep_->situation(a)));
}

void Dispatcher::on_health(const model::HealthChange& change) {
  if (!change.probe.empty()) return;
  for (auto& [service, owned] : rep_->active) {
    Rep::Active& a = *owned;
    if (service == change.service) rep_->apply(a, a.plan->health(rep_->situation(a)));
    const auto& deps = a.spec->depends_on;
    if (a.plan->phase() == Phase::blocked && std::find(deps.begin(), deps.end(), change.service) != deps.end())
      rep_->apply(a, a.plan->wake(rep_->situation(a)));
  }
}

void Dispatcher::begin_maintenance(const std::string& service, base::Millis length, const std::string& comment,
                                   std::function<void(base::Result<>)> done) {
  rep_->maintenance.begin(service, length, comment, rep_->then_wake(service, std::move(done)));
}

void Dispatcher::end_maintenance(const std::string& service, std::function<void(base::Result<>)> done) {
  rep_->maintenance.end(service, rep_->then_wake(service, std::move(done)));
}

std::optional<std::string> Dispatcher::maintenance(const std::string& service) const {
  const auto found = rep_->active.find(service);
  const MaintenanceTimes* times = found == rep_->active.end() ? nullptr : &found->second->spec->maintenance;
  if (const auto hold = rep_->maintenance.hold(service, times)) return hold->text;
  return std::nullopt;
}

void Dispatcher::recover(const std::string& service, Start how, const std::string& comment,
                         std::function<void(base::Result<std::string>)> done) {
  const auto answer = [this, &done](base::Result<std::string> result) {
    rep_->context.scheduler.post([done = std::move(done), result = std::move(result)] { done(result); });
  };
  const auto found = rep_->active.find(service);
  if (found == rep_->active.end())
    return answer(base::fail(base::Kind::not_found, fmt::format("service '{}' has no recovery plan", service)));
  Rep::Active& a = *found->second;
  if (a.plan->phase() == Phase::asking && how == Start::now) {
    base::log::info("recovery approved by a person", {{"service", service}, {"comment", comment}});
    answer(fmt::format("recovery {} of {} goes on", a.plan->run().report.id, service));
    return rep_->apply(a, a.plan->approve(comment.empty() ? "operator" : "operator: " + comment, rep_->situation(a)));
  }
  if (a.plan->running())
    return answer(base::fail(base::Kind::unavailable, fmt::format("recovery {} of {} is under way: {}",
                                                                  a.plan->run().report.id, service, a.plan->state())));
  const Situation now = rep_->situation(a);
  const std::vector<Gate> gates = evaluate_gates(*a.spec, a.plan->spent(), now);
  if (const Gate* gate = first_closed_to_person(gates))
    return answer(base::fail(base::Kind::unavailable,
                             fmt::format("{} is not recovered: {}: {}", service, gate->name, gate->text)));
  if (how == Start::rehearsal) {
    std::string plan = fmt::format("{} would be recovered:", service);
    for (const std::string& step : steps_text(*a.spec)) plan += "\n  " + step;
    return answer(std::move(plan));
  }
  base::log::info("recovery started by a person", {{"service", service}, {"comment", comment}});
  a.person = std::move(done);
  rep_->apply(a, a.plan->start(comment.empty() ? "operator" : "operator: " + comment, now));
}

void Dispatcher::ack(const std::string& service, const std::string& comment, std::function<void(base::Result<>)> done) {
  const auto refuse = [this, &done](base::Kind kind, std::string text) {
    rep_->context.scheduler.post([done = std::move(done), kind, text = std::move(text)] {
      if (done) done(base::fail(kind, text));
    });
  };
  const auto found = rep_->active.find(service);
  if (found == rep_->active.end())
    return refuse(base::Kind::not_found, fmt::format("service '{}' has no recovery plan", service));
  Rep::Active& a = *found->second;
  const int left = attempts_left(a.spec->budget, a.plan->spent(), rep_->context.scheduler.now());
  const bool flapping = a.spec->flapping && a.plan->spent().flapping;
  if (a.plan->running() && !(flapping && a.plan->phase() == Phase::holding))
    return refuse(base::Kind::unavailable,
                  fmt::format("recovery {} of {} is under way: {}", a.plan->run().report.id, service, a.plan->state()));
  if (!a.plan->spent().exhausted && !flapping && left > 0)
    return refuse(base::Kind::invalid,
                  fmt::format("{} is not exhausted: {} of {} attempts left", service, left, a.spec->budget.attempts));
  base::log::info("an exhausted recovery is acknowledged", {{"service", service}, {"comment", comment}});
  a.plan->acknowledge();
  rep_->state.commit(rep_->books.budget(*a.plan), [done = std::move(done)](base::Result<> result) {
    if (!result)
      result = base::fail(result.error().kind,
                          "in effect until the agent ends; it could not be written: " + result.error().text);
    if (done) done(std::move(result));
  });
  rep_->apply(a, a.plan->wake(rep_->situation(a)));
}

void Dispatcher::limit(NodeLimits limits) {
  rep_->node.change(std::move(limits));
  rep_->wake_waiting();
}

int Dispatcher::node_actions_left() const { return rep_->node.actions_left(Mode::enforce); }

std::vector<PlanStatus> Dispatcher::statuses() const {
  std::vector<PlanStatus> out;
  for (const auto& [service, a] : rep_->active) out.push_back(describe(*a->plan, rep_->situation(*a)));
  return out;
}

std::vector<model::RecoveryReport> Dispatcher::reports() const { return rep_->reports.newest_first(); }

}  // namespace recover
