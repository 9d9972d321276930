#include "recover/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "loop/scheduler.h"
#include "recover/dispatcher_rep.h"
#include "recover/recorder.h"

namespace recover {

std::vector<TargetUse> Dispatcher::Rep::used_by_others(const Active& a) const {
  std::vector<TargetUse> out;
  for (const auto& [service, other] : active) {
    const Plan& plan = *other->plan;
    if (other.get() == &a || !plan.acts()) continue;
    const bool retired = other->removed && other->removed_by <= a.added_by;
    const bool works = plan.phase() == Phase::committing || plan.phase() == Phase::acting;
    if (!retired && !works) continue;
    const std::string step = works ? plan.current_step().text : std::string(to_string(plan.state()));
    out.push_back({service, plan.run().report.id, step,
                   works ? other->spec->targets(plan.current_step()) : std::vector<std::string>{}, retired});
  }
  return out;
}

bool Dispatcher::Rep::must_wait(const Active& a) const {
  if (!a.plan->acts()) return false;
  const std::vector<std::string> wanted = a.spec->targets(a.plan->current_step());
  return std::any_of(active.begin(), active.end(), [&](const auto& other) {
    if (other.second.get() == &a || !other.second->action.under_way() || !other.second->plan->acts()) return false;
    const auto& spec = *other.second->spec;
    return !target_guard(wanted, {{{}, {}, {}, spec.targets(other.second->plan->current_step())}}).open;
  });
}

bool Dispatcher::Rep::waits_for_evidence(Active& a) {
  if (context.recorder == nullptr || !a.plan->acts() || !a.plan->current_step().action->may_heal()) return false;
  a.turn = context.recorder->wait(a.spec->service, [this, service = a.spec->service] { turn_came(service); });
  return static_cast<bool>(a.turn);
}

Dispatcher::Dispatcher(Options options, Context context, state::State& state, ServiceView& service_view,
                       Callbacks callbacks)
    : rep_(std::make_unique<Rep>(std::move(options), std::move(context), state, service_view, std::move(callbacks))) {
  rep_->unfinished_runs.read(rep_->alerts, rep_->reports);
  rep_->adopt_slots();
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::replace(std::vector<std::unique_ptr<PlanSpec>> plans) {
  std::set<std::string> kept;
  for (const auto& spec : plans)
    if (spec) kept.insert(spec->service);
  // First, so that plans which are new, perhaps the same ones under another name, know what still goes on.
  ++rep_->replacements;
  for (auto& [service, a] : rep_->active) {
    if (kept.contains(service) || a->removed || !a->plan->under_way()) continue;
    a->removed = true;
    a->removed_by = rep_->replacements;
    rep_->apply(*a, a->plan->halt("its plan is not configured any more", rep_->input(*a)));
  }
  for (auto& spec : plans) {
    if (!spec) continue;
    const auto found = rep_->active.find(spec->service);
    if (found == rep_->active.end()) rep_->add(std::move(spec));
    else if (found->second->plan->under_way()) rep_->exchange(*found->second, std::move(spec));
    else rep_->adopt(*found->second, std::move(spec));
  }
  for (auto it = rep_->active.begin(); it != rep_->active.end();) {
    if (!kept.contains(it->first) && !it->second->plan->under_way()) it = rep_->remove(it);
    else ++it;
  }
  rep_->unfinished_runs.close(rep_->context.scheduler.wall_now(), rep_->reports);
  for (const auto& [service, slot] : std::exchange(rep_->adopted, {})) rep_->slots.release(service);
  rep_->undrain_others();
}

void Dispatcher::on_alert(const model::AlertTransition& transition) {
  const model::Alert& alert = transition.alert;
  if (!rep_->alerts.note(alert)) return;
  if (Rep::Active* a = rep_->find(std::string(alert.service())); a != nullptr && is_for(*a->spec, alert))
    rep_->follow_alerts(*a);
}

void Dispatcher::on_run(const std::string& service, const std::string& probe, bool up) {
  Rep::Active* a = rep_->find(service);
  if (a != nullptr && up) a->good_runs[probe] = rep_->context.scheduler.now();
  if (a != nullptr && a->plan->wants_runs()) rep_->apply(*a, a->plan->probe_ran(probe, up, rep_->input(*a)));
  // It is ready: min_uptime is no more than that from now on.
  if (a != nullptr && up && a->plan->phase() == Phase::blocked && a->plan->reason() == GuardName::min_uptime)
    rep_->apply(*a, a->plan->wake(rep_->input(*a)));
  for (auto& [name, other] : rep_->active) other->recheck.probe_ran(service, probe);
}

void Dispatcher::on_health(const model::HealthChange& change) {
  if (!change.probe.empty()) return;
  for (auto& [service, owned] : rep_->active) {
    Rep::Active& a = *owned;
    if (service == change.service) rep_->apply(a, a.plan->health(rep_->input(a)));
    const auto& deps = a.spec->depends_on;
    if (a.plan->phase() == Phase::blocked && std::find(deps.begin(), deps.end(), change.service) != deps.end())
      rep_->apply(a, a.plan->wake(rep_->input(a)));
  }
}

void Dispatcher::know_alerts(const std::set<std::string>& names) {
  for (auto& [service, a] : rep_->active) {
    const std::string alert(a->plan->run().alert.name());
    if (!a->plan->running() || a->plan->run().by_operator || a->spec->when_down || names.contains(alert)) continue;
    rep_->apply(*a, a->plan->halt(fmt::format("no rule makes the alert {} any more", alert), rep_->input(*a)));
  }
}

void Dispatcher::begin_maintenance(const std::string& service, MaintenanceEnd end, const std::string& comment,
                                   std::function<void(base::Result<std::string>)> done) {
  const auto answer = [this, service, done = std::move(done)](base::Result<> result) {
    const Rep::Active* a = rep_->find(service);
    const bool told = a != nullptr && a->plan->running();
    if (!done) return;
    if (result) done(told ? stop_text(*a->plan) : std::string());
    else done(tl::unexpected<base::Error>(result.error()));
  };
  rep_->maintenance.begin(service, end, comment, rep_->then_wake(service, answer));
}

void Dispatcher::end_maintenance(const std::string& service, std::function<void(base::Result<>)> done) {
  rep_->maintenance.end(service, rep_->then_wake(service, std::move(done)));
}

void Dispatcher::end_maintenance_where_healthy(const UpSince& up_since) {
  for (const std::string& service : rep_->maintenance.over(up_since))
    end_maintenance(service, [service](const base::Result<>& kept) {
      if (kept)
        base::log::info("maintenance off: the service has been healthy for long enough", {{"service", service}});
    });
}

std::optional<std::string> Dispatcher::maintenance(const std::string& service) const {
  const Rep::Active* a = rep_->find(service);
  const MaintenanceTimes* times = a == nullptr ? nullptr : &a->spec->maintenance;
  if (const auto hold = rep_->maintenance.hold(service, times)) return hold->text;
  return std::nullopt;
}

std::optional<std::string> Dispatcher::paused(const std::string& service) const {
  const Rep::Active* a = rep_->find(service);
  MaintenanceTimes times;
  if (a == nullptr && !service.empty()) times.pause_file = usual_pause_file(service);
  if (const auto hold = rep_->maintenance.pause(rep_->node.pause_file(), a == nullptr ? times : a->spec->maintenance))
    return hold->text;
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
    return rep_->apply(a, a.plan->approve(comment.empty() ? "operator" : "operator: " + comment, rep_->input(a)));
  }
  if (a.plan->under_way())
    return answer(
        base::fail(base::Kind::unavailable, fmt::format("recovery {} of {} is under way: {}", a.plan->run().report.id,
                                                        service, to_string(a.plan->state()))));
  const PlanInput now = rep_->input(a);
  const std::vector<Guard> guards = evaluate_guards(*a.spec, a.plan->usage(), now);
  if (const Guard* guard = first_closed_to_person(guards))
    return answer(Rep::not_recovered(service, to_string(*guard)));
  if (how == Start::rehearsal) {
    std::string plan = fmt::format("{} would be recovered:", service);
    for (const std::string& step : steps_text(*a.spec)) plan += "\n  " + step;
    return answer(std::move(plan));
  }
  a.person = [service, comment, done = std::move(done)](base::Result<std::string> started) {
    if (started) base::log::info("recovery started by a person", {{"service", service}, {"comment", comment}});
    done(std::move(started));
  };
  rep_->apply(a, a.plan->start(comment.empty() ? "operator" : "operator: " + comment, now));
}

void Dispatcher::drill(const std::string& service, const std::string& unit, Drilled drilled) {
  rep_->units.drill(service, unit, drilled == Drilled::yes);
}

std::optional<std::string> Dispatcher::stopped(const std::string& service, const std::string& unit) const {
  return rep_->units.stopped(service, unit);
}

void Dispatcher::abort(const std::string& service, const std::string& comment,
                       std::function<void(base::Result<std::string>)> done) {
  const auto refuse = [this, &done](base::Kind kind, std::string text) {
    rep_->context.scheduler.post([done = std::move(done), kind, text = std::move(text)] {
      if (done) done(base::fail(kind, text));
    });
  };
  Rep::Active* a = rep_->find(service);
  if (a == nullptr) return refuse(base::Kind::not_found, fmt::format("service '{}' has no recovery plan", service));
  const bool ran = a->plan->under_way();
  if (ran && (a->plan->run().part == Part::finally || a->plan->phase() == Phase::closing))
    return refuse(base::Kind::invalid, "nothing to abort: " + stop_text(*a->plan));
  if (!ran && !a->plan->alert_firing())
    return refuse(base::Kind::invalid, fmt::format("nothing to abort: no recovery of {} is under way", service));
  const std::string id = ran ? a->plan->run().report.id : "";
  rep_->apply(*a, a->plan->abort(comment.empty() ? "operator" : "operator: " + comment, rep_->input(*a)));
  std::string said = fmt::format("{} is left alone{}; {}", service,
                                 a->plan->alert_firing() ? " until its alert has resolved" : "", stop_text(*a->plan));
  rep_->state.commit(rep_->store.budget(*a->plan), [=, done = std::move(done),
                                                    said = std::move(said)](base::Result<> result) {
    if (result)
      base::log::info("recovery aborted by a person", {{"service", service}, {"comment", comment}, {"recovery", id}});
    if (!done) return;
    if (result) return done(said);
    done(base::fail(result.error().kind,
                    said + "; a crash of the agent would forget it: it could not be written: " + result.error().text));
  });
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
  const std::vector<Guard> guards = evaluate_guards(*a.spec, a.plan->usage(), rep_->input(a));
  const bool closed =
      std::any_of(guards.begin(), guards.end(), [](const Guard& g) { return !g.open && opens_by_ack(g.name); });
  if (a.plan->running() && !(closed && a.plan->phase() == Phase::holding))
    return refuse(base::Kind::unavailable, fmt::format("recovery {} of {} is under way: {}", a.plan->run().report.id,
                                                       service, to_string(a.plan->state())));
  if (!closed)
    return refuse(base::Kind::invalid,
                  fmt::format("{} is not exhausted: {} of {} attempts left", service,
                              attempts_left(a.spec->budget, a.plan->usage(), rep_->context.scheduler.now()),
                              a.spec->budget.attempts));
  a.plan->acknowledge();
  rep_->state.commit(rep_->store.budget(*a.plan), [service, comment, done = std::move(done)](base::Result<> result) {
    if (result) base::log::info("an exhausted recovery is acknowledged", {{"service", service}, {"comment", comment}});
    else
      result = base::fail(result.error().kind,
                          "in effect until the agent ends; it could not be written: " + result.error().text);
    if (done) done(std::move(result));
  });
  rep_->apply(a, a.plan->wake(rep_->input(a)));
}

void Dispatcher::limit(NodeLimits limits) {
  rep_->node_slots.change(limits.plans_at_once);
  rep_->node.change(std::move(limits));
  rep_->wake_waiting();
}

int Dispatcher::node_actions_left() const { return rep_->node.actions_left(); }

std::vector<PlanStatus> Dispatcher::statuses() const {
  std::vector<PlanStatus> out;
  for (const auto& [service, a] : rep_->active) out.push_back(describe(*a->plan, rep_->input(*a)));
  return out;
}

std::optional<PlanStatus> Dispatcher::status(const std::string& service) const {
  const Rep::Active* a = rep_->find(service);
  if (a == nullptr) return std::nullopt;
  return describe(*a->plan, rep_->input(*a));
}

std::vector<model::RecoveryReport> Dispatcher::reports() const { return rep_->reports.newest_first(); }

}  // namespace recover
