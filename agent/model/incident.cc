#include "model/incident.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/enum_names.h"
#include "base/rounded.h"

namespace model {
namespace {

constexpr std::array kEnds{
    std::pair{IncidentEnd::open, ""},         std::pair{IncidentEnd::healed, "healed"},
    std::pair{IncidentEnd::itself, "itself"}, std::pair{IncidentEnd::person, "person"},
    std::pair{IncidentEnd::gone, "gone"},
};

std::string action_text(const ActionReport& action) {
  const bool would_run = action.result == ActionStatus::would_run;
  std::string out = action.action;
  const std::string_view how = would_run ? "would run" : to_string(action.result);  // "" while it runs
  if (!how.empty()) out += fmt::format(" {}", how);
  if (action.result != ActionStatus::ok && !would_run && !action.text.empty()) out += " (" + action.text + ")";
  return out;
}

void add_alert(const Incident& incident, const Alert& alert, std::vector<IncidentLine>& out) {
  const std::string whose = alert.service() == incident.service ? "" : fmt::format(" of {}", alert.service());
  out.push_back({alert.fired_at.value_or(alert.active_at), fmt::format("alert {}{} fires", alert.name(), whose)});
  if (alert.resolved_at)
    out.push_back({*alert.resolved_at, fmt::format("alert {}{} is resolved", alert.name(), whose)});
}

void add_run(const RecoveryReport& run, std::vector<IncidentLine>& out) {
  const std::string what = run.mode == RecoveryMode::dry_run ? "dry run" : "recovery";
  out.push_back({run.started, fmt::format("{} {} begins: attempt {}, by {}", what, run.id, run.attempt, run.trigger)});
  for (const ActionReport& action : run.actions)
    out.push_back({action.started + std::chrono::duration_cast<base::Millis>(action.took), action_text(action)});
  if (run.ended)
    out.push_back({*run.ended, fmt::format("{} {} ends: {}{}", what, run.id, to_string(run.state),
                                           run.reason.empty() ? "" : " (" + run.reason + ")")});
}

std::string clause_of(const RecoveryReport& run) {
  std::string out = fmt::format("{}{}:", run.mode == RecoveryMode::dry_run ? "dry run " : "attempt ", run.attempt);
  for (const ActionReport& action : run.actions) out += " " + action_text(action) + ",";
  if (run.actions.empty()) out += " nothing was done,";
  if (run.ended) out += fmt::format(" {}{}", to_string(run.state), run.reason.empty() ? "" : " (" + run.reason + ")");
  else out.back() = ' ', out += "goes on";
  return out;
}

}  // namespace

std::string_view to_string(IncidentEnd end) { return base::name_in(kEnds, end); }
std::optional<IncidentEnd> parse_incident_end(std::string_view name) { return base::value_in(kEnds, name); }

bool Incident::fires() const {
  return std::any_of(alerts.begin(), alerts.end(), [](const Alert& a) { return a.state == AlertState::firing; });
}

std::vector<const Alert*> Incident::own_alerts() const {
  std::vector<const Alert*> out;
  for (const Alert& alert : alerts)
    if (alert.service() == service) out.push_back(&alert);
  return out;
}

// One that is refused as the one before it was is tried again and again, and is no news.
std::size_t Incident::finished_runs() const {
  std::size_t count = runs_gone;
  std::string refused_before;
  for (const RecoveryReport& run : recoveries) {
    if (!run.ended || run.mode == RecoveryMode::dry_run) continue;
    const bool refused = !run.actions.empty() && run.actions.back().result == ActionStatus::refused;
    const std::string text = refused ? run.actions.back().action + run.actions.back().text : "";
    if (text.empty() || text != refused_before) ++count;
    refused_before = text;
  }
  return count;
}

IncidentNote health_note(base::WallTime at, const NotedHealth& health, const std::string& text) {
  return {at, fmt::format("{} is {}{}", health.service, health.down ? "down" : "up", text.empty() ? "" : ": " + text),
          health};
}

std::vector<DownSpan> down_spans(const Incident& incident, const std::string& service) {
  const bool own = service == incident.service;
  std::vector<DownSpan> out;
  for (const IncidentNote& note : incident.notes) {
    if (!note.health || note.health->service != service) continue;
    const bool is_down = !out.empty() && !out.back().to;
    if (note.health->down && !is_down) out.push_back({own && out.empty() ? incident.started : note.at, {}});
    if (!note.health->down && is_down) out.back().to = note.at;
  }
  if (!out.empty() && !out.back().to) out.back().to = incident.ended;
  if (out.empty() && own) out.push_back({incident.started, incident.ended});
  return out;
}

std::string headline(const Incident& incident) {
  const IncidentCause& cause = incident.cause;
  std::string out = incident.drill.empty() ? "" : "DRILL: ";
  out += incident.service;
  if (cause.probe.empty()) {
    const auto own = incident.own_alerts();
    out += own.empty() ? " has a fault" : fmt::format(": {}", own.front()->name());
  } else {
    out += incident.is_open() && incident.down ? " is down" : " was down";
  }
  if (!cause.reason.empty()) out += ": " + cause.reason;
  if (!cause.text.empty()) out += ": " + cause.text;
  if (!cause.death.empty()) out += "; " + cause.death;
  if (!cause.probe.empty())
    out += cause.address.empty() ? fmt::format(" (probe {})", cause.probe)
                                 : fmt::format(" (probe {} at {})", cause.probe, cause.address);
  return out;
}

std::vector<MissedObjective> missed_objectives(const Incident& incident, const IncidentObjectives& wanted) {
  std::vector<MissedObjective> out;
  const auto judge = [&](const char* name, std::optional<base::WallTime> at, std::optional<base::Millis> limit) {
    if (!limit || (at && *at - incident.started <= *limit)) return;
    out.push_back({name, at ? fmt::format("{} took {} of {}", name, base::format_rounded(*at - incident.started),
                                          base::format_duration(*limit))
                            : fmt::format("{} did not come within {}", name, base::format_duration(*limit))});
  };
  if (incident.detected) {
    judge("detect", incident.detected, wanted.detect);
    judge("locate", incident.located, wanted.locate);
  }
  judge("recover", incident.ended, wanted.recover);
  return out;
}

std::string tried(const Incident& incident) {
  std::string out, last;
  std::size_t times = 0;
  const auto add = [&] {
    if (times == 0) return;
    out += (out.empty() ? "" : "; ") + last;
    if (times > 1) out += fmt::format(", {} times", times);
  };
  for (const RecoveryReport& run : incident.recoveries) {
    if (run.actions.empty() && !run.ended) continue;
    std::string clause = clause_of(run);
    if (clause != last) {
      add();
      last = std::move(clause);
      times = 0;
    }
    ++times;
  }
  add();
  return out;
}

std::string standing(const Incident& incident) {
  if (!incident.is_open()) {
    const std::string after = base::format_rounded(incident.ended.value_or(incident.started) - incident.started);
    switch (incident.end) {
      case IncidentEnd::healed: return fmt::format("healed by fettle after {}", after);
      case IncidentEnd::person: return fmt::format("mended by a person after {}", after);
      case IncidentEnd::itself: return fmt::format("over by itself after {}", after);
      default: return fmt::format("ended after {}: the service is not configured any more", after);
    }
  }
  if (incident.calm_since) return "nothing is wrong any more; it is over if that lasts";
  if (incident.told) return fmt::format("not mended: {}", incident.why);
  if (incident.hold_until)
    return fmt::format("people hear of it at {} if it is not mended by then: {}",
                       base::format_iso8601(*incident.hold_until), incident.why);
  return incident.why;
}

std::vector<IncidentLine> timeline(const Incident& incident) {
  std::vector<IncidentLine> out;
  for (const IncidentNote& note : incident.notes) out.push_back({note.at, note.text});
  for (const Alert& alert : incident.alerts) add_alert(incident, alert, out);
  for (const RecoveryReport& run : incident.recoveries) add_run(run, out);
  for (const IncidentMessage& message : incident.messages)
    out.push_back({message.at, fmt::format("{} for {}: {}", message.kind, message.receiver, message.fate)});
  if (incident.ended) out.push_back({*incident.ended, "the incident is over: " + standing(incident)});
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return out;
}

}  // namespace model
