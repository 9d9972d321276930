#include "recover/polkit.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace recover {
namespace {

// A string of JavaScript is one of JSON: names of units hold backslashes.
std::string script_string(std::string_view text) { return nlohmann::json(text).dump(); }

std::string list(const std::set<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + script_string(word);
  return out;
}

}  // namespace

std::vector<SystemdJob> jobs_of(const Action& action) {
  const auto job = action.systemd_job();
  if (!job) return {};
  const bool starts = job->verb == "restart" || job->verb == "start";
  if (!starts || action.needed_unit() != job->unit) return {*job};
  return {*job, {"reset-failed", job->unit}};
}

std::string polkit_rule(const std::vector<SystemdJob>& jobs, std::string_view made_from, std::string_view user) {
  std::map<std::string, std::set<std::string>> verbs_by_unit;
  bool reboots = false;
  for (const SystemdJob& job : jobs) {
    if (job.unit.empty()) reboots |= job.verb == "reboot";
    else verbs_by_unit[job.unit].insert(job.verb);
  }
  std::string out = fmt::format(
      "// Lets the user {0} do what the recovery plans of {1} name, and nothing else.\n"
      "// Put it into /etc/polkit-1/rules.d/60-fettle.rules; polkit reads the folder again by itself.\n"
      "polkit.addRule(function(action, subject) {{\n"
      "  if (subject.user != {2}) return polkit.Result.NOT_HANDLED;\n",
      user, made_from, script_string(user));
  if (reboots)
    out +=
        "  // A service with allow_reboot. Inhibitors are respected: reboot-ignore-inhibit is not granted.\n"
        "  if (action.id == \"org.freedesktop.login1.reboot\" ||\n"
        "      action.id == \"org.freedesktop.login1.reboot-multiple-sessions\") return polkit.Result.YES;\n";
  out +=
      "  if (action.id != \"org.freedesktop.systemd1.manage-units\") return polkit.Result.NOT_HANDLED;\n"
      "  var allowed = {";
  const char* separator = "";
  for (const auto& [unit, verbs] : verbs_by_unit) {
    out += fmt::format("{}\n    {}: [{}]", separator, script_string(unit), list(verbs));
    separator = ",";
  }
  out +=
      "\n  };\n"
      "  var verbs = allowed[action.lookup(\"unit\")] || [];\n"
      "  return verbs.indexOf(action.lookup(\"verb\")) >= 0 ? polkit.Result.YES : polkit.Result.NO;\n"
      "});\n";
  return out;
}

}  // namespace recover
