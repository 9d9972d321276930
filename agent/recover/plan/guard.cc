#include "recover/plan/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "recover/plan/wait_text.h"

namespace recover {
namespace {

// Closed until `until`; the text says how long that is.
Guard until(GuardName name, base::Instant opens, base::Instant now, std::string_view closed, std::string open) {
  if (now >= opens) return {name, true, std::move(open)};
  return {name, false, fmt::format("{}, {} to go", closed, wait_text(opens - now)), opens};
}

Guard dependencies(const PlanSpec& plan, const PlanInput& input) {
  if (!plan.guards.dependencies_healthy) return {GuardName::dependencies, true, "not asked for"};
  std::string down, rest;
  for (const auto& [name, health, latest] : input.dependencies) {
    const bool fails = health != model::Health::down && latest == model::Health::down;
    std::string& list = fails || health == model::Health::down ? down : rest;
    list += fmt::format("{}{} is {}{}", list.empty() ? "" : ", ", name, to_string(health),
                        fails ? ", but its last probe failed" : "");
  }
  if (!down.empty()) return {GuardName::dependencies, false, down + ": a restart would not help"};
  return {GuardName::dependencies, true, rest.empty() ? "none" : rest};
}

// `on`: what keeps the guard closed.
Guard hold(GuardName name, std::string off, const std::optional<Hold>& on, const PlanInput& input) {
  if (!on) return {name, true, std::move(off)};
  Guard guard{name, false, on->text.empty() ? "on" : "on: " + on->text};
  if (on->until) guard.opens = input.now + (*on->until - input.wall);
  return guard;
}

Guard impairment(GuardName name, const PlanInput& input) {
  for (const model::Impairment& impairment : input.impairments)
    if (impairment.name == to_string(name))
      return {name, false,
              fmt::format("{}; its probes are no proof, {} to go", impairment.text,
                          wait_text(impairment.until - input.now)),
              impairment.until};
  return {name, true, "no"};
}

Guard unknown(const PlanSpec& plan, const PlanInput& input) {
  if (plan.probes.empty()) return {GuardName::unknown, true, "no probe of its own: its alert is the evidence"};
  if (input.health == model::Health::unknown)
    return {GuardName::unknown, false, "its probes have not come to a verdict"};
  return {GuardName::unknown, true, fmt::format("it is {}", to_string(input.health))};
}

Guard stopped(const PlanSpec& plan, const PlanInput& input) {
  if (!input.stopped) return {GuardName::stopped_by_operator, true, plan.unit.empty() ? "no unit" : "no"};
  return {GuardName::stopped_by_operator, !plan.guards.respects_clean_stop, *input.stopped, input.asked_again};
}

Guard drained(const PlanSpec& plan, const PlanInput& input) {
  if (!input.drained) return {GuardName::drained_by_operator, true, "no"};
  return {GuardName::drained_by_operator, !plan.guards.respects_clean_stop, *input.drained, input.asked_again};
}

// How long a start may take before something else is tried.
base::Duration patience(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input) {
  constexpr base::Duration kLongest = std::chrono::minutes{10};
  base::Duration time = plan.guards.min_uptime.value_or(GuardSettings::kMinUptime);
  if (input.since_start == PlanInput::Since::was_ready) return time;
  for (int i = 0; i < usage.failures && 2 * time <= kLongest; ++i) time *= 2;
  // A unit of Type=exec counts as started at once, whatever it still does to get ready.
  constexpr base::Duration kUsual = std::chrono::seconds{90};  // DefaultTimeoutStartSec=
  if (!plan.guards.min_uptime && input.start_timeout) time = std::max(time, std::min(*input.start_timeout, kUsual));
  return time;
}

Guard min_uptime(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input) {
  if (!input.uptime) return {GuardName::min_uptime, true, "no running process is known"};
  const base::Instant started = input.now - *input.uptime;
  const base::Duration time = patience(plan, usage, input);
  return until(GuardName::min_uptime, started + time, input.now,
               fmt::format("started {} ago, may take {} to get ready", wait_text(*input.uptime), wait_text(time)),
               fmt::format("started {} ago", wait_text(*input.uptime)));
}

Guard aborted(const PlanSpec& plan, const BudgetUsage& usage) {
  return {GuardName::aborted, false,
          fmt::format("{}; nothing is done until its alert has resolved; or: fettle recover {}", usage.aborted,
                      plan.service)};
}

Guard exhausted(const PlanSpec& plan, const BudgetUsage& usage) {
  if (!usage.exhausted) return {GuardName::exhausted, true, "not latched"};
  return {GuardName::exhausted, false,
          fmt::format("gave up after {} attempts within {}; after the repair: fettle ack {}; or {} of health",
                      plan.budget.attempts, base::format_duration(plan.budget.within), plan.service,
                      base::format_duration(plan.budget.backoff.reset_after))};
}

Guard flapping(const PlanSpec& plan, const BudgetUsage& usage) {
  const std::string within = base::format_duration(plan.flapping->within);
  if (!usage.flapping)
    return {GuardName::flapping, true,
            fmt::format("{} of {} changes within {}", usage.transitions.size(), plan.flapping->transitions, within)};
  return {
      GuardName::flapping, false,
      fmt::format("its health changed {} times within {}: it is not restarted; after the repair: fettle ack {}; or {} "
                  "of calm",
                  usage.transitions.size(), within, plan.service, within),
      calm_at(*plan.flapping, usage)};
}

Guard changed_recently(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input) {
  if (!input.changed) return {GuardName::changed_recently, true, "no"};
  const model::NodeChange& change = *input.changed;
  const base::Duration ago = std::max(base::Duration{}, base::Duration(input.wall - change.at));
  const std::string what =
      fmt::format("{} ({}) was changed {} ago", change.what, to_string(change.kind), wait_text(ago));
  if (std::none_of(usage.attempts.begin(), usage.attempts.end(),
                   [&](base::Instant attempt) { return attempt > input.now - ago; }))
    return {GuardName::changed_recently, true, what};
  return {GuardName::changed_recently, false,
          fmt::format("{}, and a recovery since then did not last: undo the change, or: fettle ack {}; or {} to go",
                      what, plan.service, wait_text(model::kSuspected - ago))};
}

Guard budget(const PlanSpec& plan, const BudgetUsage& usage, base::Instant now) {
  const int left = attempts_left(plan.budget, usage, now);
  return {GuardName::budget, left > 0,
          fmt::format("{} of {} attempts left in {}", left, plan.budget.attempts,
                      base::format_duration(plan.budget.within)),
          left > 0 ? std::nullopt : next_free(plan.budget, usage, now)};
}

}  // namespace

std::string to_string(const Guard& guard) { return fmt::format("{}: {}", to_string(guard.name), guard.text); }

std::vector<Guard> evaluate_guards(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input) {
  const base::Instant now = input.now;
  std::vector<Guard> guards;
  guards.push_back(hold(GuardName::maintenance, "off", input.maintenance, input));
  guards.push_back(hold(GuardName::paused, "no", input.paused, input));
  if (!usage.aborted.empty()) guards.push_back(aborted(plan, usage));
  guards.push_back(exhausted(plan, usage));
  if (plan.flapping) guards.push_back(flapping(plan, usage));
  if (plan.first_healing()) guards.push_back(changed_recently(plan, usage, input));
  guards.push_back(budget(plan, usage, now));
  guards.push_back(until(GuardName::agent_uptime, input.agent_started + plan.guards.agent_uptime, now,
                         fmt::format("the agent started {} ago", wait_text(now - input.agent_started)),
                         fmt::format("the agent started {} ago", wait_text(now - input.agent_started))));
  for (const GuardName name : {GuardName::stall, GuardName::clock_jump, GuardName::agent_overloaded})
    guards.push_back(impairment(name, input));
  guards.push_back(unknown(plan, input));
  guards.push_back(stopped(plan, input));
  guards.push_back(drained(plan, input));
  guards.insert(guards.end(), input.unit.begin(), input.unit.end());
  guards.push_back(dependencies(plan, input));
  guards.push_back(min_uptime(plan, usage, input));
  if (usage.recovered_at)
    guards.push_back(until(GuardName::cooldown, *usage.recovered_at + plan.guards.cooldown, now,
                           fmt::format("recovered {} ago", wait_text(now - *usage.recovered_at)),
                           fmt::format("recovered {} ago", wait_text(now - *usage.recovered_at))));
  else guards.push_back({GuardName::cooldown, true, "no recovery before"});
  if (usage.not_before)
    guards.push_back(until(GuardName::backoff, *usage.not_before, now,
                           fmt::format("{} failed in a row", usage.failures), fmt::format("over")));
  else guards.push_back({GuardName::backoff, true, "none"});
  guards.insert(guards.end(), input.slots.begin(), input.slots.end());
  if (plan.first_healing()) guards.push_back(input.node_budget);
  guards.push_back(input.target);
  if (plan.mode == RecoveryMode::ask)
    guards.push_back({GuardName::ask, false, fmt::format("mode is ask: fettle recover {} approves", plan.service)});
  return guards;
}

const Guard* first_that_skips_disruption(const PlanSpec& plan, const std::vector<Guard>& guards) {
  static constexpr GuardName kPassing[]{GuardName::node_busy, GuardName::node_budget, GuardName::cooldown,
                                        GuardName::backoff, GuardName::min_uptime};
  if (plan.mode == RecoveryMode::ask || plan.first_healing().value_or(0) == 0) return nullptr;
  const Guard* cause = nullptr;
  for (const Guard& guard : guards) {
    if (guard.open) continue;
    if (guard.name == GuardName::dependencies || guard.name == GuardName::flapping ||
        guard.name == GuardName::changed_recently)
      cause = cause == nullptr ? &guard : cause;
    else if (std::find(std::begin(kPassing), std::end(kPassing), guard.name) == std::end(kPassing)) return nullptr;
  }
  return cause;
}

Guard overloaded(const PlanInput& input) { return impairment(GuardName::agent_overloaded, input); }

std::optional<std::string> hands_off(const PlanInput& input) {
  for (const Guard& guard : {hold(GuardName::maintenance, "off", input.maintenance, input),
                             hold(GuardName::paused, "no", input.paused, input)})
    if (!guard.open) return to_string(guard);
  return std::nullopt;
}

const Guard* first_closed(const std::vector<Guard>& guards) {
  for (const Guard& guard : guards)
    if (!guard.open) return &guard;
  return nullptr;
}

Heed heed_of_rollout(GuardName name) {
  switch (name) {
    case GuardName::maintenance:
    case GuardName::paused:
    case GuardName::aborted:
    case GuardName::exhausted:
    case GuardName::flapping:
    case GuardName::budget:
    case GuardName::stopped_by_operator:
    case GuardName::drained_by_operator:
    case GuardName::unit_missing:
    case GuardName::unit_masked:
    case GuardName::fleet_panic: return Heed::never;
    case GuardName::stall:
    case GuardName::clock_jump:
    case GuardName::agent_overloaded:
    case GuardName::unknown:
    case GuardName::unit_starting:
    case GuardName::unit_job:
    case GuardName::node_stopping:
    case GuardName::dependencies:
    case GuardName::node_busy:
    case GuardName::fleet_unknown:
    case GuardName::fleet_busy:
    case GuardName::fleet_min_healthy:
    case GuardName::node_budget:
    case GuardName::target_busy:
    case GuardName::state: return Heed::later;
    case GuardName::none:
    case GuardName::changed_recently:
    case GuardName::agent_uptime:
    case GuardName::min_uptime:
    case GuardName::cooldown:
    case GuardName::backoff:
    case GuardName::ask: break;
  }
  return Heed::no;
}

const Guard* first_closed_to_rollout(const std::vector<Guard>& guards) {
  const Guard* first = nullptr;
  for (const Guard& guard : guards) {
    if (guard.open || heed_of_rollout(guard.name) == Heed::no) continue;
    if (heed_of_rollout(guard.name) == Heed::never) return &guard;
    if (first == nullptr) first = &guard;
  }
  return first;
}

const Guard* first_closed_to_person(const std::vector<Guard>& guards) {
  static constexpr GuardName kHeeded[]{GuardName::maintenance,      GuardName::paused,        GuardName::exhausted,
                                       GuardName::budget,           GuardName::unit_missing,  GuardName::unit_masked,
                                       GuardName::node_stopping,    GuardName::dependencies,  GuardName::node_busy,
                                       GuardName::target_busy,      GuardName::fleet_unknown, GuardName::fleet_busy,
                                       GuardName::fleet_min_healthy};
  for (const Guard& guard : guards)
    if (!guard.open && std::find(std::begin(kHeeded), std::end(kHeeded), guard.name) != std::end(kHeeded))
      return &guard;
  return nullptr;
}

}  // namespace recover
