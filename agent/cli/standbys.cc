#include "cli/standbys.h"

#include "base/percent.h"
#include "base/terminal.h"
#include "cli/answer.h"
#include "cli/table.h"

namespace cli {
namespace {

// Why nothing is done: the first condition that is not met. That another one is the primary is no reason to act.
std::string refusal_of(const Json& standby) {
  for (const Json& gate : list_of(standby, "gates"))
    if (gate.contains("open") && gate["open"] == false && text_of(gate, "name") != "primary_lease_alive")
      return text_of(gate, "name") + ": " + text_of(gate, "text");
  return "";
}

int show(const StatusOptions& options, const std::string& service, const Json& data) {
  const Json& standbys = list_of(data, "standbys");
  Table table({"SERVICE", "MODE", "PRIMARY", "SERVER HERE", "WHAT"});
  Table members({"SERVICE", "NODE", "ADDRESS", "STATE", "OFFSET", "DETAIL"});
  bool refused = false;
  for (const Json& standby : standbys) {
    const std::string why = refusal_of(standby), primary = text_of(standby, "primary"), move = text_of(standby, "move");
    refused = refused || !why.empty();
    table.add({text_of(standby, "service"), text_of(standby, "mode"), primary.empty() ? "none" : primary,
               text_of(standby, "is"),
               why.empty() ? Cell{move == "none" ? "-" : "next: " + move, Tone::plain} : Cell{why, Tone::bad}});
    for (const Json& member : list_of(standby, "members"))
      members.add({text_of(standby, "service"), text_of(member, "node"), text_of(member, "address"),
                   text_of(member, "state"), std::to_string(static_cast<long long>(number_of(member, "offset"))),
                   text_of(member, "text")});
  }
  if (options.json) return refused ? 1 : 0;
  if (standbys.empty() && !service.empty()) {
    base::print(stdout, "no standby is configured at a service '{}'\n", service);
    return 1;
  }
  if (standbys.empty()) base::print(stdout, "no standby is configured\n");
  else base::print(stdout, "{}\n{}", table.render(colour_of_stdout()), members.render(colour_of_stdout()));
  return refused ? 1 : 0;
}

}  // namespace

int run_standbys(const StatusOptions& options, const std::string& service) {
  const std::string only = service.empty() ? "" : "?service=" + base::percent_encode(service);
  return ask(options, "/api/v1/standbys" + only, [&](const Json& data) { return show(options, service, data); });
}

}  // namespace cli
