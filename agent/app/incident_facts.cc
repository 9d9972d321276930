#include "app/incident_facts.h"

#include <algorithm>
#include <chrono>

#include "base/secret.h"
#include "cluster/fleet.h"

namespace app {
namespace {

int status_in(const model::Outcome& outcome) {
  for (const model::Measurement& m : outcome.measurements)
    if (m.name == "probe_http_status_code") return static_cast<int>(m.value);
  return 0;
}

// Of the first probe that is down, in order of configuration.
model::IncidentCause cause_of(const std::string& service, const probe::Schedule& schedule) {
  model::IncidentCause cause;
  for (const probe::Status& status : schedule.statuses(service)) {
    if (status.health != model::Health::down || !status.last) continue;
    const probe::Run& run = *status.last;
    cause.probe = status.spec->name;
    cause.reason = model::to_string(run.outcome.reason);
    cause.text = run.outcome.text;
    cause.address = base::without_secrets(status.spec->settings->target());
    if (run.event) cause.death = run.event->text;
    cause.status = status_in(run.outcome);
    break;
  }
  return cause;
}

incident::Answer answer_of(const recover::PlanStatus& plan, base::Instant now, base::WallTime wall_now) {
  incident::Answer answer;
  answer.mode = plan.mode;
  answer.run = plan.recovery;
  answer.wanted = plan.wanted;
  answer.hold_for = plan.hold_for;
  const recover::Guard* guard = plan.waits_for();
  if (guard == nullptr) return answer;
  answer.needs_person = recover::is_for_person(guard->name);
  answer.closed = recover::to_string(*guard);
  if (guard->opens && *guard->opens != base::Instant::max())
    answer.opens = wall_now + std::chrono::duration_cast<base::Millis>(*guard->opens - now);
  return answer;
}

std::optional<incident::GroupPanic> panic_of(const std::optional<cluster::GroupFault>& fault) {
  if (!fault) return std::nullopt;
  return incident::GroupPanic{fault->text, fault->pager ? cluster::named(*fault->pager) : "", fault->tells};
}

}  // namespace

incident::Facts incident_facts(const std::string& service, const config::AgentConfig& config,
                               const ServiceHealthTable& health_table, const probe::Schedule& schedule,
                               const recover::Dispatcher& dispatcher, const cluster::Fleet* fleet, base::Instant now,
                               base::WallTime wall_now) {
  incident::Facts facts;
  const auto found = std::find_if(config.services.begin(), config.services.end(),
                                  [&](const auto& entry) { return entry.first == service; });
  if (found == config.services.end()) return facts;
  facts.configured = true;
  facts.depends_on = found->second.depends_on;
  const config::Objectives& wanted = found->second.objectives;
  facts.objectives = {wanted.detect, wanted.locate, wanted.recover};
  facts.health = health_table.health(service);
  if (facts.health == model::Health::down) facts.cause = cause_of(service, schedule);
  facts.maintenance = dispatcher.maintenance(service).has_value();
  if (const auto plan = dispatcher.status(service)) {
    facts.answer = answer_of(*plan, now, wall_now);
    // Just after a start its alert may go on before a probe has run: the plan may still have something to answer.
    if (facts.health == model::Health::unknown && !schedule.statuses(service).empty()) facts.answer.wanted = true;
  }
  if (fleet != nullptr) facts.answer.group = panic_of(fleet->fault(service));
  for (const std::string& name : facts.depends_on)
    if (schedule.latest_health(name) == model::Health::down && health_table.health(name) != model::Health::down)
      facts.answer.suspect = name;
  return facts;
}

}  // namespace app
