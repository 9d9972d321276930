#include "recover/plan/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace recover {
namespace {

std::string text_of(base::Duration d) {
  return base::format_duration(std::chrono::ceil<base::Millis>(d > base::Duration{} ? d : base::Duration{}));
}

// Closed until `until`; the text says how long that is.
Gate until(std::string name, base::Instant opens, base::Instant now, std::string_view closed, std::string open) {
  if (now >= opens) return {std::move(name), true, std::move(open)};
  return {std::move(name), false, fmt::format("{}, {} to go", closed, text_of(opens - now)), opens};
}

Gate dependencies(const PlanSpec& plan, const PlanInput& input) {
  if (!plan.guards.dependencies_healthy) return {"dependencies", true, "not asked for"};
  std::string down, rest;
  for (const auto& [name, health, latest] : input.dependencies) {
    const bool fails = health != model::Health::down && latest == model::Health::down;
    std::string& list = fails || health == model::Health::down ? down : rest;
    list += fmt::format("{}{} is {}{}", list.empty() ? "" : ", ", name, to_string(health),
                        fails ? ", but its last probe failed" : "");
  }
  if (!down.empty()) return {"dependencies", false, down + ": a restart would not help"};
  return {"dependencies", true, rest.empty() ? "none" : rest};
}

// `on`: what keeps the gate closed.
Gate hold(std::string name, std::string off, const std::optional<Hold>& on, const PlanInput& input) {
  if (!on) return {std::move(name), true, std::move(off)};
  Gate gate{std::move(name), false, on->text.empty() ? "on" : "on: " + on->text};
  if (on->until) gate.opens = input.now + (*on->until - input.wall);
  return gate;
}

Gate doubt(const std::string& name, const PlanInput& input) {
  for (const model::Doubt& doubt : input.doubts)
    if (doubt.name == name)
      return {name, false,
              fmt::format("{}; its probes are no proof, {} to go", doubt.text, text_of(doubt.until - input.now)),
              doubt.until};
  return {name, true, "no"};
}

Gate unknown(const PlanSpec& plan, const PlanInput& input) {
  if (plan.probes.empty()) return {"unknown", true, "no probe of its own: its alert is the evidence"};
  if (input.health == model::Health::unknown) return {"unknown", false, "its probes have not come to a verdict"};
  return {"unknown", true, fmt::format("it is {}", to_string(input.health))};
}

Gate stopped(const PlanSpec& plan, const PlanInput& input) {
  if (plan.unit.empty()) return {"stopped_by_operator", true, "no unit"};
  if (!input.stopped) return {"stopped_by_operator", true, "no"};
  return {"stopped_by_operator", !plan.guards.respects_clean_stop, *input.stopped};
}

// How long a start may take before something else is tried.
base::Duration patience(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input) {
  constexpr base::Duration kLongest = std::chrono::minutes{10};
  base::Duration time = plan.guards.min_uptime.value_or(Guards::kMinUptime);
  if (input.since_start == PlanInput::Since::was_ready) return time;
  for (int i = 0; i < usage.failures && 2 * time <= kLongest; ++i) time *= 2;
  // A unit of Type=exec counts as started at once, whatever it still does to get ready.
  constexpr base::Duration kUsual = std::chrono::seconds{90};  // DefaultTimeoutStartSec=
  if (!plan.guards.min_uptime && input.start_timeout) time = std::max(time, std::min(*input.start_timeout, kUsual));
  return time;
}

Gate min_uptime(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input) {
  if (!input.uptime) return {"min_uptime", true, "no running process is known"};
  const base::Instant started = input.now - *input.uptime;
  const base::Duration time = patience(plan, usage, input);
  return until("min_uptime", started + time, input.now,
               fmt::format("started {} ago, may take {} to get ready", text_of(*input.uptime), text_of(time)),
               fmt::format("started {} ago", text_of(*input.uptime)));
}

Gate aborted(const PlanSpec& plan, const BudgetUsage& usage) {
  return {"aborted", false,
          fmt::format("{}; nothing is done until its alert has resolved; or: fettle recover {}", usage.aborted,
                      plan.service)};
}

Gate exhausted(const PlanSpec& plan, const BudgetUsage& usage) {
  if (!usage.exhausted) return {"exhausted", true, "not latched"};
  return {"exhausted", false,
          fmt::format("gave up after {} attempts within {}; after the repair: fettle ack {}; or {} of health",
                      plan.budget.attempts, base::format_duration(plan.budget.within), plan.service,
                      base::format_duration(plan.budget.backoff.reset_after))};
}

Gate flapping(const PlanSpec& plan, const BudgetUsage& usage) {
  const std::string within = base::format_duration(plan.flapping->within);
  if (!usage.flapping)
    return {"flapping", true,
            fmt::format("{} of {} changes within {}", usage.transitions.size(), plan.flapping->transitions, within)};
  return {
      "flapping", false,
      fmt::format("its health changed {} times within {}: it is not restarted; after the repair: fettle ack {}; or {} "
                  "of calm",
                  usage.transitions.size(), within, plan.service, within),
      calm_at(*plan.flapping, usage)};
}

Gate budget(const PlanSpec& plan, const BudgetUsage& usage, base::Instant now) {
  const int left = attempts_left(plan.budget, usage, now);
  return {"budget", left > 0,
          fmt::format("{} of {} attempts left in {}", left, plan.budget.attempts,
                      base::format_duration(plan.budget.within)),
          left > 0 ? std::nullopt : next_free(plan.budget, usage, now)};
}

}  // namespace

std::vector<Gate> evaluate_gates(const PlanSpec& plan, const BudgetUsage& usage, const PlanInput& input) {
  const base::Instant now = input.now;
  std::vector<Gate> gates;
  gates.push_back(hold("maintenance", "off", input.maintenance, input));
  gates.push_back(hold("paused", "no", input.paused, input));
  if (!usage.aborted.empty()) gates.push_back(aborted(plan, usage));
  gates.push_back(exhausted(plan, usage));
  if (plan.flapping) gates.push_back(flapping(plan, usage));
  gates.push_back(budget(plan, usage, now));
  gates.push_back(until("agent_uptime", input.agent_started + plan.guards.agent_uptime, now,
                        fmt::format("the agent started {} ago", text_of(now - input.agent_started)),
                        fmt::format("the agent started {} ago", text_of(now - input.agent_started))));
  for (const char* name : {"stall", "clock_jump", "agent_overloaded"}) gates.push_back(doubt(name, input));
  gates.push_back(unknown(plan, input));
  gates.push_back(stopped(plan, input));
  gates.insert(gates.end(), input.unit.begin(), input.unit.end());
  gates.push_back(dependencies(plan, input));
  gates.push_back(min_uptime(plan, usage, input));
  if (usage.recovered_at)
    gates.push_back(until("cooldown", *usage.recovered_at + plan.guards.cooldown, now,
                          fmt::format("recovered {} ago", text_of(now - *usage.recovered_at)),
                          fmt::format("recovered {} ago", text_of(now - *usage.recovered_at))));
  else gates.push_back({"cooldown", true, "no recovery before"});
  if (usage.not_before)
    gates.push_back(until("backoff", *usage.not_before, now, fmt::format("{} failed in a row", usage.failures),
                          fmt::format("over")));
  else gates.push_back({"backoff", true, "none"});
  gates.push_back(input.node_busy);
  if (plan.first_healing()) gates.push_back(input.node_budget);
  if (plan.mode == Mode::ask)
    gates.push_back({"ask", false, fmt::format("mode is ask: fettle recover {} approves", plan.service)});
  return gates;
}

const Gate* first_that_spares(const PlanSpec& plan, const std::vector<Gate>& gates) {
  static constexpr std::string_view kPassing[]{"node_busy", "node_budget", "cooldown", "backoff", "min_uptime"};
  if (plan.mode == Mode::ask || plan.first_healing().value_or(0) == 0) return nullptr;
  const Gate* cause = nullptr;
  for (const Gate& gate : gates) {
    if (gate.open) continue;
    if (gate.name == "dependencies" || gate.name == "flapping") cause = cause == nullptr ? &gate : cause;
    else if (std::find(std::begin(kPassing), std::end(kPassing), gate.name) == std::end(kPassing)) return nullptr;
  }
  return cause;
}

std::optional<std::string> hands_off(const PlanInput& input) {
  for (const Gate& gate :
       {hold("maintenance", "off", input.maintenance, input), hold("paused", "no", input.paused, input)})
    if (!gate.open) return fmt::format("{}: {}", gate.name, gate.text);
  return std::nullopt;
}

const Gate* first_closed(const std::vector<Gate>& gates) {
  for (const Gate& gate : gates)
    if (!gate.open) return &gate;
  return nullptr;
}

const Gate* first_closed_to_person(const std::vector<Gate>& gates) {
  static constexpr std::string_view kHeeded[]{"maintenance",   "paused",       "exhausted",
                                              "budget",        "unit_missing", "unit_masked",
                                              "node_stopping", "dependencies", "node_busy"};
  for (const Gate& gate : gates)
    if (!gate.open && std::find(std::begin(kHeeded), std::end(kHeeded), gate.name) != std::end(kHeeded)) return &gate;
  return nullptr;
}

}  // namespace recover
