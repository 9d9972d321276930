#include "cli/drills.h"

#include <fmt/format.h>

#include "base/percent.h"
#include "base/rounded.h"
#include "base/terminal.h"
#include "base/time.h"
#include "cli/answer.h"
#include "cli/table.h"

namespace cli {
namespace {

// "2m3s"; "-" for what is not there.
std::string length_of(const Json& object, const char* key) {
  if (!object.contains(key)) return "-";
  return base::format_rounded(base::Millis{milliseconds_of(number_of(object, key))});
}

const Json& proof_of(const Json& drill) {
  static const Json none = Json::object();
  return drill.contains("proof") && !drill["proof"].is_null() ? mapping_of(drill, "proof") : none;
}

std::string or_never(const std::string& time) { return time.empty() ? "never" : time; }

Cell state_of(const Json& drill) {
  const std::string doing = text_of(drill, "doing"), result = text_of(drill, "result");
  if (!doing.empty()) return {doing, Tone::warn};
  if (result.empty()) return {"not run yet", Tone::plain};
  return {result, result == "verified" ? Tone::good : result == "interrupted" ? Tone::warn : Tone::bad};
}

bool failed(const Json& drill) {
  const std::string result = text_of(drill, "result");
  return !result.empty() && result != "verified" && result != "interrupted";
}

int show_drills(const StatusOptions& options, const std::string& service, const Json& data) {
  const Json& drills = list_of(data, "drills");
  Table table({"DRILL", "SERVICE", "STATE", "LAST PROVEN", "RESTORE", "DATA AGE", "WHAT"});
  bool any_failed = false;
  for (const Json& drill : drills) {
    any_failed = any_failed || failed(drill);
    const Json& proof = proof_of(drill);
    const std::string text = text_of(drill, "text");
    table.add({text_of(drill, "name"), text_of(drill, "service"), state_of(drill), or_never(text_of(proof, "at")),
               length_of(proof, "restoreSeconds"), length_of(proof, "dataAgeSeconds"),
               text.empty() ? text_of(drill, "backup") : text});
  }
  Table faults({"SERVICE", "FAULT", "STATE", "LAST PASSED", "DETECT", "RECOVER", "WHAT"});
  static const Json none = Json::array();  // of an older agent
  const Json& fault_drills = data.contains("faultDrills") ? list_of(data, "faultDrills") : none;
  for (const Json& drill : fault_drills) {
    const std::string result = text_of(drill, "result"), doing = text_of(drill, "doing");
    const bool bad = !result.empty() && result != "passed" && result != "interrupted";
    any_failed = any_failed || bad;
    const Json& stages = mapping_of(drill, "stageSeconds");
    faults.add({text_of(drill, "service"), text_of(drill, "fault"),
                !doing.empty()   ? Cell{doing, Tone::warn}
                : result.empty() ? Cell{"not run yet", Tone::plain}
                                 : Cell{result, bad                  ? Tone::bad
                                                : result == "passed" ? Tone::good
                                                                     : Tone::warn},
                or_never(text_of(drill, "lastSuccess")), length_of(stages, "detect"), length_of(stages, "recover"),
                text_of(drill, "text")});
  }
  if (options.json) return any_failed ? 1 : 0;
  const bool any_fault = !fault_drills.empty();
  if (drills.empty() && !any_fault) {
    base::print(stdout, "no drill is configured{}\n", service.empty() ? "" : " at a service '" + service + "'");
    return service.empty() ? 0 : 1;
  }
  if (!drills.empty()) base::print(stdout, "{}", table.render(colour_of_stdout()));
  if (any_fault) base::print(stdout, "{}{}", drills.empty() ? "" : "\n", faults.render(colour_of_stdout()));
  return any_failed ? 1 : 0;
}

// "4m10s of 5m"
std::string against(const Json& row, const char* wanted, const Json& proof, const char* measured) {
  const std::string have = length_of(proof, measured), want = length_of(row, wanted);
  return want == "-" ? have : have + " of " + want;
}

int show_dr(const StatusOptions& options, const Json& data) {
  Table table({"SERVICE", "STANDBY", "LAST PROMOTION", "DRILL", "BACKUP", "LAST PROVEN", "RPO", "RTO", "FINDINGS"});
  bool any = false;
  for (const Json& row : list_of(data, "services")) {
    const Json& proof = proof_of(row);
    std::string findings;
    for (const Json& each : list_of(row, "findings"))
      findings += (findings.empty() ? "" : ", ") + each.get<std::string>();
    any = any || !findings.empty();
    const std::string backup = text_of(row, "backup");
    const bool drilled = !backup.empty();
    static const Json none = Json::object();
    const bool replicated = row.contains("standby");
    const Json& standby = replicated ? mapping_of(row, "standby") : none;
    table.add({text_of(row, "service"), replicated ? text_of(standby, "summary") : "-",
               replicated ? or_never(text_of(standby, "promoted")) : "-", drilled ? text_of(row, "drill") : "-",
               drilled ? backup : "-", drilled ? or_never(text_of(proof, "at")) : "-",
               against(row, "rpoWanted", proof, "dataAgeSeconds"), against(row, "rtoWanted", proof, "restoreSeconds"),
               findings.empty()
                   ? Cell{drilled || replicated ? "none" : "-", drilled || replicated ? Tone::good : Tone::plain}
                   : Cell{findings, Tone::bad}});
  }
  if (!options.json) base::print(stdout, "{}", table.render(colour_of_stdout()));
  return any ? 1 : 0;
}

}  // namespace

int run_drills(const StatusOptions& options, const std::string& service) {
  const std::string only = service.empty() ? "" : "?service=" + base::percent_encode(service);
  return ask(options, "/api/v1/drills" + only, [&](const Json& data) { return show_drills(options, service, data); });
}

int run_dr(const StatusOptions& options) {
  return ask(options, "/api/v1/dr", [&](const Json& data) { return show_dr(options, data); });
}

}  // namespace cli
