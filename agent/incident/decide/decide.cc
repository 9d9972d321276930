#include "incident/decide/decide.h"

#include <fmt/format.h>

#include <algorithm>

#include "incident/life.h"

namespace incident {
namespace {

using model::RecoveryMode;
using model::RecoveryState;

Decision page(std::string why) { return {Act::page, std::move(why), std::nullopt}; }

// The first run that was in vain, once the plan has written that down and says in the same breath whether it goes on.
const model::RecoveryReport* in_vain(const model::Incident& incident, const Answer& answer) {
  const auto found = std::find_if(incident.recoveries.begin(), incident.recoveries.end(),
                                  [&](const auto& run) { return run.id != answer.run && is_in_vain(run); });
  return found == incident.recoveries.end() ? nullptr : &*found;
}

// The last run that did something has brought it back, and it has not gone down since: a killed agent may not have
// written that it is up. The rule says so at its next evaluation. What the plan could do then counts for nothing, such
// as a budget that this run has used up, or another run, by an alert of before, that finds nothing to do.
bool is_mended(const model::Incident& incident) {
  const auto last = std::find_if(incident.recoveries.rbegin(), incident.recoveries.rend(), [](const auto& run) {
    return !run.actions.empty() || run.state == RecoveryState::recovered;
  });
  return last != incident.recoveries.rend() && last->ended && last->state == RecoveryState::recovered &&
         incident.last_down <= *last->ended;
}

Decision of_group(const GroupPanic& group) {
  if (group.tells) return page(group.text + "; no member is recovered, and no other agent tells people of it");
  const std::string who =
      group.told_by.empty() ? "which agent tells people is being decided" : group.told_by + " tells people, for all";
  return {Act::refer, fmt::format("{}; {}", group.text, who), std::nullopt};
}

}  // namespace

Decision decide(const model::Incident& incident, const Answer& answer, base::WallTime now) {
  if (incident.told) return page(incident.why);
  if (!incident.demands.empty()) return page(incident.demands.front());
  const bool is_of_group = answer.group && !incident.calm_since && !incident.alerts.empty();
  if (is_of_group) return of_group(*answer.group);
  if (const auto* run = in_vain(incident, answer)) return page(outcome(*run));
  if (incident.calm_since) return {Act::quiet, "nothing is wrong any more", std::nullopt};
  if (incident.alerts.empty()) return {Act::quiet, "no alert of it fires", std::nullopt};
  const bool acts = answer.wanted && answer.mode && answer.mode != RecoveryMode::dry_run;
  if (!acts && !answer.suspect.empty() && now < incident.started + kSuspicion)
    return {Act::hold, answer.suspect + ", which it depends on, may be down", incident.started + kSuspicion};
  if (!answer.mode) return page("no recovery is configured for it");
  if (answer.mode == RecoveryMode::dry_run) return page("its recovery is in mode dry_run and touches nothing");
  // The service may be up again while an alert of it lasts a little longer.
  if (!answer.wanted && !incident.hold_until) return page("no recovery answers what is wrong with it");
  if (answer.wanted && answer.needs_person) return page("recovery waits for a person: " + answer.closed);
  const base::WallTime own = incident.started + answer.hold_for;
  const base::WallTime until = incident.hold_until ? std::min(own, *incident.hold_until) : own;
  if (now >= until)
    return page(fmt::format("it is not mended after {}", base::format_duration(until - incident.started)));
  if (!answer.wanted || is_mended(incident)) return {Act::hold, "it is up, and an alert of it still fires", until};
  if (!answer.closed.empty() && answer.opens && *answer.opens >= until)
    return page("recovery comes too late: " + answer.closed);
  return {Act::hold, answer.closed.empty() ? "recovery is at work" : "recovery waits: " + answer.closed, until};
}

}  // namespace incident
