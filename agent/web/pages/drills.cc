#include <fmt/format.h>

#include <algorithm>

#include "web/drill_findings.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

// "1.25 s", and beside it what is wanted.
std::string against(std::optional<double> measured, const std::optional<base::Millis>& wanted) {
  std::string out = measured ? precise_duration(*measured) : "";
  if (wanted) out += fmt::format(R"( <span class="mut">of {}</span>)", escape(base::format_duration(*wanted)));
  return out;
}

std::string state_of(const DrillPage& drill) {
  if (!drill.doing.empty()) return state_badge("busy", "runs") + " " + escape(drill.doing);
  if (drill.result.empty()) return state_badge("unknown", "not run yet");
  const bool failed = proved_nothing(drill);
  return state_badge(failed                       ? "down"
                     : drill.result == "verified" ? "up"
                                                  : "calm",
                     drill.result) +
         (failed ? R"( <span class="mut">)" + escape(drill.text) + "</span>" : "");
}

std::string row_of(const DrillPage& drill, const Snapshot& snapshot) {
  const auto service = std::find_if(snapshot.services.begin(), snapshot.services.end(),
                                    [&](const ServicePage& each) { return each.name == drill.service; });
  const ServicePage none;
  const ServicePage& of = service == snapshot.services.end() ? none : *service;
  std::string findings;
  for (const std::string& each : drill_findings(of, &drill, snapshot.at))
    findings += (findings.empty() ? "" : ", ") + escape(each);
  const auto age = drill.proof ? drill.proof->data_age_seconds : std::nullopt;
  const auto restore = drill.proof ? std::optional(drill.proof->restore_seconds) : std::nullopt;
  return fmt::format(
      R"(<tr><th scope="row">{}<span class="mut mono">{}</span></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>)",
      escape(drill.service), escape(drill.name), escape(drill.backup), state_of(drill),
      drill.proof ? ago(drill.proof->at, snapshot) : "never", against(age, of.rpo), against(restore, of.rto), findings);
}

}  // namespace

std::string drills_part(const Snapshot& snapshot) {
  std::string rows;
  for (const DrillPage& drill : snapshot.drills) rows += row_of(drill, snapshot);
  return heading("Restore drills", snapshot.drills.size()) +
         R"(<div class="wide"><table class="rules"><thead><tr><th scope="col">Service</th><th scope="col">Backup</th>)"
         R"(<th scope="col">Last run</th><th scope="col">Last proven</th><th scope="col">RPO</th><th scope="col">RTO</th>)"
         R"(<th scope="col">Findings</th></tr></thead><tbody>)" +
         rows + "</tbody></table></div>";
}

std::string fault_drills_part(const Snapshot& snapshot) {
  std::string rows;
  for (const FaultDrillPage& drill : snapshot.fault_drills) {
    const bool calm = drill.result == "passed" || drill.result == "interrupted";
    std::string state = !drill.doing.empty()   ? state_badge("busy", "runs") + " " + escape(drill.doing)
                        : drill.result.empty() ? state_badge("unknown", "not run yet")
                                               : state_badge(drill.result == "passed" ? "up"
                                                             : calm                   ? "calm"
                                                                                      : "down",
                                                             drill.result);
    if (drill.doing.empty()) state += R"( <span class="mut">)" + escape(drill.text) + "</span>";
    std::string stages;
    for (const auto& [stage, seconds] : drill.stage_seconds)
      stages += fmt::format("{}{} {}", stages.empty() ? "" : ", ", escape(stage), precise_duration(seconds));
    rows += fmt::format(
        R"(<tr><th scope="row">{}<span class="mut mono">{}</span></th><td>{}</td><td>{}</td><td>{}</td></tr>)",
        escape(drill.service), escape(drill.fault), state,
        drill.last_success ? ago(*drill.last_success, snapshot) : "never", stages);
  }
  return heading("Fault drills", snapshot.fault_drills.size()) +
         R"(<div class="wide"><table class="rules"><thead><tr><th scope="col">Service</th><th scope="col">Last drill</th>)"
         R"(<th scope="col">Last passed</th><th scope="col">Stages</th></tr></thead><tbody>)" +
         rows + "</tbody></table></div>";
}

}  // namespace web
