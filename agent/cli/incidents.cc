#include "cli/incidents.h"

#include <fmt/format.h>

#include <vector>

#include "base/percent.h"
#include "base/terminal.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/table.h"
#include "model/action_report.h"

namespace cli {
namespace {

std::string one_line(const std::string& text) { return base::foreign_text(text, std::string::npos); }

// "held", "open", or how it ended.
Cell state_of(const Json& incident) {
  const std::string end = text_of(incident, "end");
  if (end == "healed") return {end, Tone::good};
  if (!end.empty()) return {end, Tone::plain};
  if (text_of(incident, "told").empty()) return {"held", Tone::warn};
  return {"open", Tone::bad};
}

std::string lasted(const Json& incident) {
  const auto from = base::parse_iso8601(text_of(incident, "started"));
  const auto to = base::parse_iso8601(text_of(incident, "ended"));
  if (!from || !to) return "-";
  return base::format_duration(*to - *from);
}

int show_list(const StatusOptions& options, const Json& data) {
  Table table({"INCIDENT", "SERVICE", "STARTED", "LASTED", "STATE", "WHAT"});
  const Json& incidents = list_of(data, "incidents");
  bool open = false;
  for (const Json& incident : incidents) {
    open = open || text_of(incident, "end").empty();
    table.add({text_of(incident, "id"), text_of(incident, "service"), text_of(incident, "started"), lasted(incident),
               state_of(incident), text_of(incident, "headline")});
  }
  if (options.json) return open ? 1 : 0;
  if (incidents.empty()) base::print(stdout, "nothing has gone wrong yet\n");
  else base::print(stdout, "{}", table.render(colour_of_stdout()));
  return open ? 1 : 0;
}

int show_story(const StatusOptions& options, const Json& incident) {
  const bool open = text_of(incident, "end").empty();
  if (options.json) return open ? 1 : 0;
  std::string out = one_line(text_of(incident, "headline")) + "\n";
  out += one_line(text_of(incident, "standing")) + "\n";
  if (const std::string changed = text_of(incident, "changed"); !changed.empty()) out += one_line(changed) + "\n";
  if (const std::string tried = text_of(incident, "tried"); !tried.empty()) out += "tried: " + one_line(tried) + "\n";
  if (const std::string would = text_of(incident, "dryRun"); !would.empty())
    out += "dry run: " + one_line(would) + "\n";
  out += fmt::format("incident {} of {}, since {}\n\n", one_line(text_of(incident, "id")),
                     one_line(text_of(incident, "service")), one_line(text_of(incident, "started")));
  for (const Json& line : list_of(incident, "timeline"))
    out += fmt::format("{:24}  {}\n", one_line(text_of(line, "at")), one_line(text_of(line, "text")));
  base::print(stdout, "{}", out);
  return open ? 1 : 0;
}

int show_evidence(const StatusOptions& options, const Json& data) {
  const Json& all = list_of(data, "evidence");
  if (options.json) return all.empty() ? 1 : 0;
  std::string out;
  for (const Json& evidence : all) {
    out += fmt::format("{}\n{} at {}, gathered in {:.3f} s\n", one_line(text_of(evidence, "headline")),
                       one_line(text_of(evidence, "service")), one_line(text_of(evidence, "at")),
                       number_of(evidence, "took"));
    for (const Json& section : list_of(evidence, "sections")) {
      out += fmt::format("\n{}\n", one_line(text_of(section, "name")));
      for (const Json& line : list_of(section, "lines"))
        if (line.is_string()) out += "  " + one_line(line.get<std::string>()) + "\n";
      if (const std::string missing = text_of(section, "missing"); !missing.empty())
        out += "  (" + one_line(missing) + ")\n";
    }
    out += "\n";
  }
  base::print(stdout, "{}", all.empty() ? "no evidence was gathered for this incident\n" : out);
  return all.empty() ? 1 : 0;
}

Tone tone_of_run(const std::string& word) {
  using model::RecoveryState;
  const auto state = model::parse_recovery_state(word);
  if (state == RecoveryState::recovered) return Tone::good;
  return state == RecoveryState::exhausted || state == RecoveryState::failed ? Tone::bad : Tone::plain;
}

// "restart order.service: ok (0.8 s), page: ok"
std::string actions_of(const Json& run) {
  std::string out;
  for (const Json& action : list_of(run, "actions")) {
    const std::string result = text_of(action, "result");
    out += fmt::format("{}{}: {} ({:.1f} s)", out.empty() ? "" : ", ", text_of(action, "action"),
                       result.empty() ? "under way" : result, number_of(action, "took"));
  }
  return out.empty() ? "-" : out;
}

int show_recoveries(const StatusOptions& options, const Json& data) {
  const Json& runs = list_of(data, "recoveries");
  Table table({"RUN", "SERVICE", "STARTED", "LASTED", "MODE", "STATE", "WHY", "ACTIONS"});
  for (const Json& run : runs) {
    const std::string state = text_of(run, "state"), reason = text_of(run, "reason");
    table.add({text_of(run, "id"),
               text_of(run, "service"),
               text_of(run, "started"),
               lasted(run),
               text_of(run, "mode"),
               {reason.empty() || reason == state ? state : state + ": " + reason, tone_of_run(state)},
               text_of(run, "trigger"),
               actions_of(run)});
  }
  if (options.json) return 0;
  if (runs.empty()) base::print(stdout, "no plan has run yet\n");
  else base::print(stdout, "{}", table.render(colour_of_stdout()));
  return 0;
}

// The whole id that `begin` stands for; `begin` itself where it is not clear.
base::Result<std::string> full_id(const StatusOptions& options, const std::string& begin) {
  TRY(const std::string answer, get(options.agent, "/api/v1/incidents"));
  const Json data = data_in(answer);
  std::vector<std::string> found;
  for (const Json& incident : list_of(data, "incidents"))
    if (const std::string id = text_of(incident, "id"); id.starts_with(begin)) found.push_back(id);
  return found.size() == 1 ? found.front() : begin;
}

}  // namespace

int run_incidents(const StatusOptions& options, const std::string& service) {
  if (service.starts_with("inc_")) return run_incident(options, service);
  const std::string only = service.empty() ? "" : "?service=" + base::percent_encode(service);
  return ask(options, "/api/v1/incidents" + only, [&](const Json& data) { return show_list(options, data); });
}

int run_incident(const StatusOptions& options, const std::string& begin) {
  const auto id = read_answer(options.agent.shown(), [&] { return full_id(options, begin); });
  return ask(options, "/api/v1/incidents/" + base::percent_encode(id.value_or(begin)),
             [&](const Json& data) { return show_story(options, data); });
}

int run_evidence(const StatusOptions& options, const std::string& begin) {
  const auto id = read_answer(options.agent.shown(), [&] { return full_id(options, begin); });
  return ask(options, "/api/v1/incidents/" + base::percent_encode(id.value_or(begin)) + "/evidence",
             [&](const Json& data) { return show_evidence(options, data); });
}

int run_recoveries(const StatusOptions& options, const std::string& service) {
  const std::string only = service.empty() ? "" : "?service=" + base::percent_encode(service);
  return ask(options, "/api/v1/recoveries" + only, [&](const Json& data) { return show_recoveries(options, data); });
}

}  // namespace cli
