#include "web/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"

namespace web {
namespace {

using model::Health;

std::string since(base::WallTime t, const Snapshot& snapshot) {
  if (t == base::WallTime{}) return "";
  return fmt::format(" for {}", rough_duration(snapshot.at - t));
}

std::string because(model::Reason reason, const std::string& text) {
  std::string out(model::to_string(reason));
  if (!text.empty()) out += (out.empty() ? "" : ": ") + text;
  return out.empty() ? "" : " (" + out + ")";
}

std::string probe_sentence(const ProbePage& probe, const Snapshot& snapshot) {
  switch (probe.health) {
    case Health::up:
      if (probe.consecutive_failures > 0)
        return fmt::format("Probe {} is up, but failed {} of the {} times in a row that make it down{}.", probe.name,
                           probe.consecutive_failures, probe.failure_threshold, because(probe.reason, probe.text));
      return fmt::format("Probe {} is up{}.", probe.name, since(probe.since, snapshot));
    case Health::down:
      // A process that is gone needs no second run.
      if (probe.consecutive_failures < probe.failure_threshold || probe.failure_threshold == 1)
        return fmt::format("Probe {} is down{}{}.", probe.name, since(probe.since, snapshot),
                           because(probe.reason, probe.text));
      return fmt::format("Probe {} is down{}{}; it failed {} times in a row, {} make it down.", probe.name,
                         since(probe.since, snapshot), because(probe.reason, probe.text), probe.consecutive_failures,
                         probe.failure_threshold);
    case Health::unknown: break;
  }
  return fmt::format("Probe {} has not come to a verdict yet.", probe.name);
}

std::string recovery_sentence(const ServicePage& service) {
  if (!service.recovery_mode) return "No recovery is configured for it.";
  std::string mode = service.recovery_mode == model::RecoveryMode::dry_run
                         ? "Recovery is in mode dry_run: fettle says what it would do and touches nothing"
                         : fmt::format("Recovery is in mode {}", to_string(*service.recovery_mode));
  std::string state(to_string(service.recovery_state.value_or(model::PlanState::idle)));
  if (!service.recovery_reason.empty() && service.recovery_reason != state) state += ": " + service.recovery_reason;
  return fmt::format("{}; state {}, {} attempts left in its budget.", mode, state, service.attempts_left);
}

// The plan: what is next, every guard with its value, every step.
void add_plan(const ServicePage& service, std::vector<std::string>& out) {
  if (!service.recovery_next.empty()) out.push_back(fmt::format("Next: {}.", service.recovery_next));
  for (const GuardPage& guard : service.recovery_guards)
    out.push_back(fmt::format("  guard {:6} {}: {}", guard.open ? "open" : "CLOSED", guard.name, guard.text));
  for (std::size_t i = 0; i < service.recovery_steps.size(); ++i)
    out.push_back(fmt::format("  step {}: {}", i + 1, service.recovery_steps[i]));
}

void add_standby(const StandbyPage& standby, std::vector<std::string>& out) {
  out.push_back(fmt::format(
      "Its standby is in mode {}; the server here: {}. {}; next: {}.", standby.mode, standby.is,
      standby.primary.empty() ? "No primary was ever elected" : standby.primary + " is the primary", standby.move));
  for (const StandbyPage::Gate& gate : standby.gates)
    out.push_back(fmt::format("  guard {:6} {}: {}", gate.open ? "open" : "CLOSED", gate.name, gate.text));
}

}  // namespace

bool concerns(const model::Incident& incident, const std::string& service) {
  const auto& others = incident.dependents;
  return incident.service == service || std::find(others.begin(), others.end(), service) != others.end();
}

std::string no_service_text(const std::string& name, const Snapshot& snapshot) {
  std::vector<std::string> known;
  for (const ServicePage& service : snapshot.services) known.push_back(service.name);
  const std::string near = base::nearest(name, known);
  return fmt::format("There is no service \"{}\" here; {}", name,
                     near.empty() ? "see /api/v1/services." : "did you mean \"" + near + "\"?");
}

std::string rough_duration(base::Millis d) {
  const auto s = std::max<std::int64_t>(0, d.count() / 1000);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min", s / 60);
  if (s < 86400) {
    const auto minutes = s % 3600 / 60;
    return minutes == 0 ? fmt::format("{} h", s / 3600) : fmt::format("{} h {} min", s / 3600, minutes);
  }
  return fmt::format("{} d", s / 86400);
}

std::vector<std::string> why(const ServicePage& service, const Snapshot& snapshot) {
  std::vector<std::string> out;
  out.push_back(fmt::format("{} is {}{}{}.", service.name, model::to_string(service.health),
                            since(service.since, snapshot), because(service.reason, service.text)));
  if (service.maintenance)
    out.push_back(fmt::format("It is in maintenance ({}): nothing acts on it.", *service.maintenance));
  for (const std::string& paused : {snapshot.paused, service.paused})
    if (!paused.empty()) out.push_back(fmt::format("Recovery is paused ({}): nothing acts on it.", paused));
  for (const ProbePage& probe : service.probes) out.push_back(probe_sentence(probe, snapshot));
  for (const std::string& name : service.depends_on) {
    const auto found = std::find_if(snapshot.services.begin(), snapshot.services.end(),
                                    [&](const ServicePage& s) { return s.name == name; });
    out.push_back(fmt::format("It depends on {}, which is {}.", name,
                              found == snapshot.services.end() ? "not known here" : model::to_string(found->health)));
  }
  for (const model::Alert& alert : snapshot.alerts)
    if (alert.service() == service.name)
      out.push_back(fmt::format("Alert {} is {}{}.", alert.name(), model::to_string(alert.state),
                                since(alert.active_at, snapshot)));
  for (const auto& incident : snapshot.incidents)
    if (incident->is_open() && concerns(*incident, service.name))
      out.push_back(fmt::format("Incident {}{}: {}.", incident->id,
                                incident->service == service.name ? "" : " of " + incident->service,
                                model::standing(*incident)));
  out.push_back(recovery_sentence(service));
  for (const model::RecoveryReport& report : snapshot.recoveries)
    if (report.service == service.name) {
      out.push_back(fmt::format("Its last recovery, started {} by {}, is {}{} after {} actions.",
                                base::format_iso8601(report.started), report.trigger, to_string(report.state),
                                report.reason.empty() ? "" : " (" + report.reason + ")", report.actions.size()));
      break;
    }
  return out;
}

std::vector<std::string> explain(const ServicePage& service, const Snapshot& snapshot) {
  std::vector<std::string> out = why(service, snapshot);
  add_plan(service, out);
  for (const StandbyPage& standby : snapshot.standbys)
    if (standby.service == service.name) add_standby(standby, out);
  return out;
}

}  // namespace web
