#include "recover/plan/explain.h"

#include <fmt/format.h>

namespace recover {
namespace {

std::string step_text(const Step& step, std::string_view prefix) {
  std::string out = fmt::format("{}{}, at most {}", prefix, step.text, base::format_duration(step.timeout));
  if (step.verify)
    out += fmt::format("; over if every probe has {} good {} within {}", step.verify->success_threshold,
                       step.verify->success_threshold == 1 ? "run" : "runs in a row",
                       base::format_duration(step.verify->within));
  if (step.on_failure == OnFailure::stop) out += "; gives up if it fails";
  return out;
}

std::string first_healing(const PlanSpec& spec) {
  const auto first = spec.first_healing();
  return first ? spec.steps[*first].text : "nothing";
}

void add_parts(const PlanSpec& spec, PlanStatus& status) {
  status.verifies = spec.first_healing().has_value();
  if (status.verifies) status.cure = first_healing(spec);
  for (const std::vector<Step>* steps : {&spec.steps, &spec.finally})
    for (const Step& step : *steps) {
      if (steps == &spec.steps && step.action->may_heal() && !step.verify) status.verifies = false;
      if (!step.action->moves_traffic()) continue;
      (step.text.starts_with("undrain") ? status.undrains : status.drains) = true;
    }
}

}  // namespace

PlanStatus describe(const Plan& plan, const PlanInput& input) {
  const PlanSpec& spec = plan.spec();
  PlanStatus status;
  status.service = spec.service;
  status.mode = spec.mode;
  status.state = plan.state();
  status.reason = plan.reason();
  status.attempts_left = attempts_left(spec.budget, plan.usage(), input.now);
  status.guards = evaluate_guards(spec, plan.usage(), input);
  for (const Guard& guard : status.guards) {
    if (guard.open || !guard.opens || *guard.opens == base::Instant::max()) continue;
    const base::WallTime opens = input.wall + std::chrono::duration_cast<base::Millis>(*guard.opens - input.now);
    if (!status.not_before || opens > *status.not_before) status.not_before = opens;
  }
  if (plan.running()) status.recovery = plan.run().report.id;
  status.next = next_text(plan, status.guards);
  status.steps = steps_text(spec);
  status.wanted = plan.alert_firing() || plan.under_way() || input.health == model::Health::down;
  status.hold_for = spec.hold_for;
  add_parts(spec, status);
  return status;
}

const Guard* PlanStatus::waits_for() const {
  static const Guard no_state{GuardName::state, false, "nothing can be written down, and nothing is done without it"};
  if (reason == GuardName::state) return &no_state;
  const Guard* closed = first_closed(guards);
  // What is held because a restart would not help is the work of people, unless the cause mends by itself.
  if (state == model::PlanState::holding && closed != nullptr && is_for_person(closed->name)) return closed;
  return recovery.empty() && state != model::PlanState::recovered ? closed : nullptr;
}

std::string stop_text(const Plan& plan) {
  const Run& run = plan.run();
  if (!plan.running()) return "no recovery is under way";
  std::string rest;
  const auto& last = plan.spec().finally;
  for (std::size_t i = run.part == Part::finally ? run.step : 0; i < last.size(); ++i)
    if (last[i].action->moves_traffic()) rest += (rest.empty() ? "" : ", ") + last[i].text;
  const std::string after = rest.empty() ? "nothing follows" : "what follows is " + rest + ", and nothing else";
  if (plan.phase() == Phase::acting)
    return fmt::format("recovery {}: {} is running and comes to its end; {}", run.report.id, plan.current_step().text,
                       run.part == Part::finally ? "nothing else is begun" : after);
  if (plan.phase() == Phase::closing) return fmt::format("recovery {} has ended", run.report.id);
  return fmt::format("recovery {}: no further step is begun; {}", run.report.id, after);
}

std::vector<std::string> steps_text(const PlanSpec& spec) {
  std::vector<std::string> out;
  for (const Step& step : spec.steps) out.push_back(step_text(step, ""));
  for (const Step& step : spec.finally) out.push_back(step_text(step, "finally "));
  return out;
}

std::string next_text(const Plan& plan, const std::vector<Guard>& guards) {
  const PlanSpec& spec = plan.spec();
  const std::string verb = spec.mode == RecoveryMode::dry_run ? "would run" : "runs";
  const std::string first = spec.steps.empty() ? "nothing" : spec.steps.front().text;
  switch (plan.phase()) {
    case Phase::acting: return fmt::format("{} is running", plan.current_step().text);
    case Phase::asking: return fmt::format("waits for a person: fettle recover {} approves", spec.service);
    case Phase::holding: {
      const Guard* cause = first_that_skips_disruption(spec, guards);
      if (cause == nullptr) cause = first_closed(guards);
      return cause != nullptr ? fmt::format("{} {} once {} allows it: {}", verb, first_healing(spec),
                                            to_string(cause->name), cause->text)
                              : fmt::format("{} {} unless a probe finds it healthy", verb, first_healing(spec));
    }
    case Phase::looking:
      return fmt::format("{} {} unless systemd or a dependency speaks against it", verb, plan.current_step().text);
    case Phase::acquiring:
    case Phase::reacquiring: {
      std::string slots;
      for (const Guard& guard : guards)
        if (guard.name == GuardName::node_busy || guard.name == GuardName::fleet_busy)
          slots += (slots.empty() ? ": " : ", ") + guard.text;
      return fmt::format("{} {} once it has a slot{}", verb, plan.running() ? plan.current_step().text : first, slots);
    }
    case Phase::waiting: {
      const Guard* closed = first_closed(guards);
      return fmt::format("{} {} once {} allows it{}", verb, plan.current_step().text, to_string(plan.reason()),
                         closed != nullptr ? ": " + closed->text : "");
    }
    case Phase::verifying: return "probes must say that it is healthy";
    case Phase::committing:
    case Phase::closing: return "writes down what it is about to do";
    case Phase::recheck: return fmt::format("{} {} unless the probes that run now find it healthy", verb, first);
    case Phase::idle:
    case Phase::blocked: break;
  }
  const Guard* closed = first_closed(guards);
  if (!plan.alert_firing()) {
    std::string when;
    if (spec.when_down) when = fmt::format("it is down for {}", base::format_duration(*spec.when_down));
    for (const auto& [name, value] : spec.when)
      when += fmt::format("{}{} is {}", when.empty() ? "" : " and ", name, value);
    return closed != nullptr && !closed->opens
               ? fmt::format("nothing: {}", to_string(*closed))
               : fmt::format("when {}{}, {} {}", when, spec.when_down ? "" : " fires", verb, first);
  }
  if (closed != nullptr)
    return fmt::format("{} {} once {} allows it: {}", verb, first, to_string(closed->name), closed->text);
  return fmt::format("{} {} unless a probe finds it healthy", verb, first);
}

}  // namespace recover
