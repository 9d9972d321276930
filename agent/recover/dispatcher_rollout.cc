// The part of a rollout that a service of this node has: a run of its plan, of one step that heals.
#include <fmt/format.h>

#include <utility>

#include "recover/dispatcher.h"
#include "recover/dispatcher_rep.h"

namespace recover {
namespace {

std::string steps_that_heal(const PlanSpec& spec) {
  std::string out;
  for (const Step& step : spec.steps)
    if (step.action != nullptr && step.action->may_heal()) out += (out.empty() ? "" : ", ") + step.text;
  return out.empty() ? "none" : out;
}

}  // namespace

Readiness Dispatcher::ready_for_rollout(const std::string& service, const std::string& word) const {
  const Rep::Active* a = rep_->find(service);
  if (a == nullptr || a->removed) return {Heed::never, fmt::format("service '{}' has no recovery plan", service)};
  const PlanSpec& spec = *a->spec;
  if (!spec.step_of(word))
    return {Heed::never, fmt::format("its plan has no step {}; steps that a rollout can do: {}",
                                     word.empty() ? "that restarts it" : "for " + word, steps_that_heal(spec))};
  if (spec.mode == RecoveryMode::dry_run) return {Heed::never, "its plan is in mode dry_run"};
  if (spec.probes.empty()) return {Heed::never, "it has no probe that could verify it"};
  const std::vector<Guard> guards = evaluate_guards(spec, a->plan->usage(), rep_->input(*a));
  if (const Guard* guard = first_closed_to_rollout(guards)) return {heed_of_rollout(guard->name), to_string(*guard)};
  if (a->plan->under_way()) return {Heed::later, fmt::format("recovery {} is under way", a->plan->run().report.id)};
  return {};
}

void Dispatcher::roll_out(const std::string& service, const std::string& word, const std::string& trigger,
                          std::function<void(base::Result<std::string>)> done) {
  if (const Readiness ready = ready_for_rollout(service, word); ready.closed != Heed::no) {
    rep_->context.scheduler.post(
        [service, text = ready.text, done = std::move(done)] { done(Rep::not_recovered(service, text)); });
    return;
  }
  Rep::Active& a = *rep_->find(service);
  a.person = std::move(done);
  rep_->apply(a, a.plan->start(trigger, rep_->input(a), a.spec->step_of(word)));
}

}  // namespace recover
