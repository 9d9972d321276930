#include "incident/life.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace incident {
namespace {

using model::AlertState;

template <typename T>
void keep_newest(std::vector<T>& list, std::size_t most) {
  if (list.size() > most) list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(most));
}

// Those that fire are as many as the rules hold; of the others the newest stay.
void bound_alerts(model::Incident& incident) {
  const auto resolved = [](const model::Alert& a) { return a.state != AlertState::firing; };
  auto over = std::count_if(incident.alerts.begin(), incident.alerts.end(), resolved) -
              static_cast<std::ptrdiff_t>(model::Incident::kResolvedAlerts);
  std::erase_if(incident.alerts, [&](const model::Alert& a) { return resolved(a) && over-- > 0; });
}

bool same(const model::RecoveryReport& a, const model::RecoveryReport& b) {
  return a.state == b.state && a.reason == b.reason && a.ended == b.ended && a.actions.size() == b.actions.size();
}

bool ended_in_vain(const model::RecoveryReport& run) {
  return run.ended && run.mode != model::RecoveryMode::dry_run && run.state != model::RecoveryState::recovered &&
         run.state != model::RecoveryState::would_run;
}

void append(model::Incident& incident, model::IncidentNote note) {
  if (!incident.notes.empty() && incident.notes.back().text == note.text) return;
  incident.notes.push_back(std::move(note));
  keep_newest(incident.notes, model::Incident::kNotes);
}

}  // namespace

void add_note(model::Incident& incident, base::WallTime at, std::string text) {
  append(incident, {at, std::move(text)});
}

bool note_health(model::Incident& incident, const std::string& service, bool down, const std::string& text,
                 base::WallTime at) {
  model::IncidentNote note = model::health_note(at, {service, down}, text);
  if (service != incident.service) {
    append(incident, std::move(note));
    return true;
  }
  if (incident.down == down && !incident.notes.empty()) return false;
  incident.down = down;
  if (down) incident.last_down = at;
  if (down && !incident.detected) incident.detected = at;
  append(incident, std::move(note));
  return true;
}

void note_relapse(model::Incident& incident, base::Millis settle, base::WallTime at) {
  if (incident.down || !incident.told) return;
  const auto up = std::find_if(incident.notes.rbegin(), incident.notes.rend(), [&](const model::IncidentNote& note) {
    return note.health && note.health->service == incident.service && !note.health->down;
  });
  if (up == incident.notes.rend() || at - up->at < settle) return;
  ++incident.relapses;
  incident.why = "it is down again";
}

bool note_alert(model::Incident& incident, const model::Alert& alert) {
  const auto known = std::find_if(incident.alerts.begin(), incident.alerts.end(),
                                  [&](const model::Alert& a) { return a.labels == alert.labels; });
  const bool firing = alert.state == AlertState::firing;
  if (known == incident.alerts.end()) {
    if (!firing) return false;
    incident.alerts.push_back(alert);
    return true;
  }
  const bool changed = known->state != alert.state || known->fired_at != alert.fired_at;
  if (!firing && known->state != AlertState::firing) return false;
  *known = alert;
  bound_alerts(incident);
  return changed;
}

std::string outcome(const model::RecoveryReport& run) {
  const std::string reason = run.reason.empty() ? "" : fmt::format(" ({})", run.reason);
  return fmt::format("its last recovery ended as {}{}", to_string(run.state), reason);
}

bool is_in_vain(const model::RecoveryReport& run) {
  return ended_in_vain(run) && (run.state != model::RecoveryState::aborted || !run.actions.empty());
}

bool note_run(model::Incident& incident, const model::RecoveryReport& report) {
  const auto known = std::find_if(incident.recoveries.begin(), incident.recoveries.end(),
                                  [&](const auto& r) { return r.id == report.id; });
  const bool changed = known == incident.recoveries.end() || !same(*known, report);
  if (!changed) return false;
  // What the plan has said as it gave up says more than that it did.
  const bool said = report.state == model::RecoveryState::exhausted && incident.all_demands() > 0;
  if (incident.told && ended_in_vain(report) && !said) incident.why = outcome(report);
  if (known != incident.recoveries.end()) {
    *known = report;
    return true;
  }
  incident.recoveries.push_back(report);
  const std::size_t finished = incident.finished_runs();
  keep_newest(incident.recoveries, model::Incident::kRecoveries);
  incident.runs_gone += finished - std::min(finished, incident.finished_runs());
  return true;
}

// The first one stays: by it people were told.
void note_demand(model::Incident& incident, base::WallTime at, const std::string& text) {
  incident.demands.push_back(text);
  if (incident.demands.size() > model::Incident::kNotes) {
    incident.demands.erase(incident.demands.begin() + 1);
    ++incident.demands_gone;
  }
  if (incident.told) incident.why = text;
  append(incident, {at, text});
}

void note_message(model::Incident& incident, model::IncidentMessage message) {
  incident.messages.push_back(std::move(message));
  keep_newest(incident.messages, model::Incident::kMessages);
}

bool note_fate(model::Incident& incident, std::string_view message, std::string_view fate, base::WallTime at) {
  for (model::IncidentMessage& each : incident.messages) {
    if (each.id != message) continue;
    each.fate = fate;
    each.at = at;
    return true;
  }
  return false;
}

bool add_dependent(model::Incident& incident, const std::string& service, base::WallTime at) {
  if (std::find(incident.dependents.begin(), incident.dependents.end(), service) != incident.dependents.end())
    return false;
  incident.dependents.push_back(service);
  add_note(incident, at, fmt::format("{} depends on it, and its alerts stand here", service));
  return true;
}

void absorb(model::Incident& incident, model::Incident dependent, base::WallTime at) {
  add_dependent(incident, dependent.service, at);
  for (const std::string& other : dependent.dependents) add_dependent(incident, other, at);
  for (model::Alert& alert : dependent.alerts) incident.alerts.push_back(std::move(alert));
  bound_alerts(incident);
}

std::vector<model::Alert> release(model::Incident& incident, const std::string& dependent) {
  std::vector<model::Alert> out;
  for (const model::Alert& alert : incident.alerts)
    if (alert.service() == dependent && alert.state == AlertState::firing) out.push_back(alert);
  std::erase_if(incident.alerts,
                [&](const model::Alert& a) { return a.service() == dependent && a.state == AlertState::firing; });
  return out;
}

void shift(model::Incident& incident, base::Millis step) {
  incident.started += step;
  if (incident.down) incident.last_down += step;
  for (auto* t : {&incident.calm_since, &incident.hold_until, &incident.detected, &incident.located})
    if (*t) **t += step;
}

bool is_calm(const model::Incident& incident) {
  if (incident.down) return false;
  for (const model::Alert* alert : incident.own_alerts())
    if (alert->state == AlertState::firing) return false;
  return std::none_of(incident.recoveries.begin(), incident.recoveries.end(), [](const auto& run) {
    return !run.ended && run.mode != model::RecoveryMode::dry_run && run.state != model::RecoveryState::blocked;
  });
}

model::IncidentEnd end_of(const model::Incident& incident) {
  for (auto run = incident.recoveries.rbegin(); run != incident.recoveries.rend(); ++run) {
    if (run->state != model::RecoveryState::recovered || run->mode == model::RecoveryMode::dry_run) continue;
    const bool healed = std::any_of(run->actions.begin(), run->actions.end(),
                                    [](const auto& a) { return a.may_heal && a.result == model::ActionStatus::ok; });
    if (!healed || !run->ended || *run->ended < incident.last_down) continue;
    return run->trigger.starts_with("operator") ? model::IncidentEnd::person : model::IncidentEnd::healed;
  }
  return incident.maintenance ? model::IncidentEnd::person : model::IncidentEnd::itself;
}

}  // namespace incident
