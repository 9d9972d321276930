#include "cli/admin.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/ascii.h"
#include "base/percent.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/table.h"
#include "model/agent_defaults.h"

namespace cli {
namespace {

// What stands on the line, whichever command it is.
struct Line {
  std::string socket = model::kAdminSocket;
  std::string state;  // of maintenance: on or off
  std::string service, comment;
  std::string length;   // "2h", or "": until it is ended
  std::string healthy;  // "10m", or "": its health does not end it
  std::string output = "text";
  std::string fault;  // of a drill
  bool dry_run = false;
  bool yes = false;
};

int report(const base::Result<std::string>& answer) {
  if (!answer) {
    base::print(stderr, "fettle: {}\n", answer.error().text);
    return exit_code_of(answer.error());
  }
  base::print(stdout, "{}\n", *answer);
  return 0;
}

// A comment that is too long, or has what no page can show.
std::optional<int> wrong_comment(const Line& line) {
  const auto fit = base::parse_comment(line.comment);
  if (fit) return {};
  report(fit);
  return kUsage;
}

// Of a change without data: `done` says what is so now.
base::Result<std::string> change(const Line& line, const std::string& path, const std::string& done) {
  return read_answer(line.socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask_admin(line.socket, "POST", path));
    (void)success_in(answer);
    return line.output == "json" ? answer : done;
  });
}

// The sentence in the answer, or the answer as it came.
base::Result<std::string> told(const Line& line, const std::string& path) {
  return read_answer(line.socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask_admin(line.socket, "POST", path));
    const auto sentence = data_in(answer).get<std::string>();
    return line.output == "json" ? answer : sentence;
  });
}

int run_reload(const Line& line) {
  return report(read_answer(line.socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask_admin(line.socket, "POST", "/-/reload"));
    const auto sentence = data_in(answer);
    if (line.output == "json") return answer;
    return sentence.is_string() ? sentence.get<std::string>() : std::string("the new configuration is running");
  }));
}

std::string lasts_of(const Line& line) {
  std::string out = line.length.empty() ? "" : " for " + line.length;
  if (!line.healthy.empty()) out += (out.empty() ? "" : " or") + (" until it has been healthy for " + line.healthy);
  return out;
}

// The services that are in maintenance, with who and why.
base::Result<std::string> listed_maintenance(const Line& line) {
  TRY(const std::string answer, ask_admin(line.socket, "GET", "/api/v1/services"));
  Json shown = Json::array();
  Table table({"SERVICE", "MAINTENANCE"});
  const Json data = data_in(answer);
  for (const Json& service : list_of(data, "services")) {
    const std::string why = text_of(service, "maintenance");
    if (!service.contains("maintenance") || service["maintenance"].is_null()) continue;
    shown.push_back({{"service", text_of(service, "name")}, {"maintenance", why}});
    table.add({text_of(service, "name"), why});
  }
  if (line.output == "json") return printed(shown);
  if (shown.empty()) return std::string("no service is in maintenance");
  std::string text = table.render(colour_of_stdout());
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

int run_maintenance(const Line& line) {
  if (line.state == "list") return report(read_answer(line.socket, [&] { return listed_maintenance(line); }));
  if (const auto wrong = wrong_comment(line)) return *wrong;
  const bool on = line.state == "on";
  const std::string path =
      fmt::format("/api/v1/maintenance/{}?on={}&for={}{}&comment={}", base::percent_encode(line.service),
                  on ? "true" : "false", base::percent_encode(line.length),
                  line.healthy.empty() ? "" : "&until_healthy=" + base::percent_encode(line.healthy),
                  base::percent_encode(line.comment));
  if (!on) return report(change(line, path, fmt::format("{} is out of maintenance", line.service)));
  const auto under_way = told(line, path);
  if (!under_way || line.output == "json") return report(under_way);
  return report(fmt::format("{} is in maintenance{}: fettle probes it and alerts, and {}", line.service, lasts_of(line),
                            under_way->empty() ? "leaves it alone" : "stops acting: " + *under_way));
}

int run_recover(const Line& line) {
  if (const auto wrong = wrong_comment(line)) return *wrong;
  return report(told(line, fmt::format("/api/v1/recover/{}?dry_run={}&comment={}", base::percent_encode(line.service),
                                       line.dry_run ? "true" : "false", base::percent_encode(line.comment))));
}

int run_abort(const Line& line) {
  if (const auto wrong = wrong_comment(line)) return *wrong;
  return report(told(line, fmt::format("/api/v1/recover/{}/abort?comment={}", base::percent_encode(line.service),
                                       base::percent_encode(line.comment))));
}

int run_ack(const Line& line) {
  if (const auto wrong = wrong_comment(line)) return *wrong;
  return report(change(
      line,
      fmt::format("/api/v1/ack/{}?comment={}", base::percent_encode(line.service), base::percent_encode(line.comment)),
      fmt::format("{} may be recovered again, with its whole budget", line.service)));
}

// A drill of the configuration: a fault is asked for with --yes.
int run_drill(const Line& line) {
  if (const auto wrong = wrong_comment(line)) return *wrong;
  return report(told(line, fmt::format("/api/v1/drills/{}/run?{}comment={}", base::percent_encode(line.service),
                                       line.yes ? "yes=true&" : "", base::percent_encode(line.comment))));
}

// A person at a terminal says yes, or the command line does.
bool is_wanted(const Line& line) {
  if (line.yes) return true;
  if (::isatty(STDIN_FILENO) != 1) {
    base::print(stderr,
                "fettle: a drill breaks {} on purpose, and there is no terminal at which to confirm it; add --yes\n",
                line.service);
    return false;
  }
  base::print(stderr,
              "{} of {} is rehearsed now, in earnest: its customers may notice. Type its name to go on: ", line.fault,
              line.service);
  std::array<char, 256> typed{};
  if (std::fgets(typed.data(), typed.size(), stdin) == nullptr) return false;
  if (base::trim(typed.data(), " \t\r\n") == line.service) return true;
  base::print(stderr, "fettle: nothing was done\n");
  return false;
}

int run_fault_drill(const Line& line) {
  if (const auto wrong = wrong_comment(line)) return *wrong;
  if (!is_wanted(line)) return kUsage;
  return report(told(line, fmt::format("/api/v1/drill/{}?fault={}&comment={}", base::percent_encode(line.service),
                                       line.fault, base::percent_encode(line.comment))));
}

int run_approve(const Line& line) {
  if (const auto wrong = wrong_comment(line)) return *wrong;
  return report(told(line, fmt::format("/api/v1/standbys/{}/approve?comment={}", base::percent_encode(line.service),
                                       base::percent_encode(line.comment))));
}

void add_service(CLI::App* command, Line& line) { command->add_option("SERVICE", line.service, "Service")->required(); }

void add_comment(CLI::App* command, Line& line) {
  command->add_option("--comment", line.comment, "Who and why, for the others");
}

void add_socket(CLI::App* command, Line& line) {
  command->add_option("--admin.socket", line.socket, "Admin socket of the agent")->capture_default_str();
}

}  // namespace

void add_admin_commands(CLI::App& top, Chosen& chosen) {
  const auto line = std::make_shared<Line>();
  const auto choose = [&chosen, line](int (*run)(const Line&)) {
    return [&chosen, line, run] { chosen = [line, run] { return run(*line); }; };
  };

  CLI::App* reload = top.add_subcommand("reload", "Load the configuration again");
  add_socket(reload, *line);
  add_output(reload, line->output);
  reload->callback(choose(run_reload));

  CLI::App* maintenance = top.add_subcommand("maintenance", "Keep fettle from acting on a service, or end that");
  maintenance->add_option("STATE", line->state, "on or off; list: which services are in maintenance")
      ->required()
      ->check(CLI::IsMember({"on", "off", "list"}));
  maintenance->add_option("SERVICE", line->service, "Service");
  maintenance->add_option("--for", line->length,
                          "It ends by itself after so long, such as 2h; default: with maintenance off");
  maintenance->add_option("--until-healthy", line->healthy,
                          "It ends by itself when the service has been healthy for so long, such as 10m");
  add_comment(maintenance, *line);
  add_output(maintenance, line->output);
  add_socket(maintenance, *line);
  maintenance->callback([run = choose(run_maintenance), line] {
    if (line->state != "list" && line->service.empty()) throw CLI::RequiredError("SERVICE");
    if (line->state == "list" && !line->service.empty()) throw CLI::ExtrasError({line->service});
    run();
  });

  CLI::App* recover = top.add_subcommand("recover", "Start a service's recovery plan by hand, or stop it");
  recover->add_option("SERVICE", line->service, "Service");
  add_output(recover, line->output);
  recover->add_flag("--dry-run", line->dry_run, "Go through the plan and touch nothing");
  add_comment(recover, *line);
  add_socket(recover, *line);
  CLI::App* abort = recover->add_subcommand(
      "abort", "Stop the recovery of a service: its running step ends, what was drained is given back");
  add_service(abort, *line);
  add_comment(abort, *line);
  add_socket(abort, *line);
  add_output(abort, line->output);
  abort->callback(choose(run_abort));
  recover->callback([run = choose(run_recover), line, recover] {
    if (!recover->get_subcommands().empty()) return;  // abort, replay
    if (line->service.empty()) throw CLI::RequiredError("SERVICE");
    run();
  });

  CLI::App* drill = top.add_subcommand("drill", "Rehearse a fault at a service, or run a drill of the configuration");
  drill->add_option("SERVICE", line->service, "Service whose unit gets the fault");
  drill->add_option("--fault", line->fault, "hang, kill, refuse or slow")
      ->check(CLI::IsMember({"hang", "kill", "refuse", "slow"}));
  drill->add_flag("--yes", line->yes, "Do not ask: the fault is wanted");
  add_comment(drill, *line);
  add_socket(drill, *line);
  add_output(drill, line->output);
  CLI::App* run_now = drill->add_subcommand(
      "run", "A drill of the configuration now, whatever its window; fettle drills shows what came of it");
  run_now->add_flag("--yes", line->yes, "Of one that is a fault: it is wanted");
  run_now->add_option("DRILL", line->service, "Name of the drill")->required();
  add_comment(run_now, *line);
  add_socket(run_now, *line);
  add_output(run_now, line->output);
  run_now->callback([run = choose(run_drill), line, drill] {
    if (drill->count("SERVICE") > 0 || drill->count("--fault") > 0)
      throw CLI::ValidationError("run",
                                 "takes the name of a drill alone: fettle drill run DRILL, or fettle drill "
                                 "SERVICE --fault FAULT");
    run();
  });
  drill->callback([run = choose(run_fault_drill), line, run_now] {
    if (run_now->parsed()) return;
    if (line->service.empty()) throw CLI::RequiredError("SERVICE");
    if (line->fault.empty()) throw CLI::RequiredError("--fault");
    run();
  });

  CLI::App* standby = top.add_subcommand("standby", "Let what of a hot standby waits for a person begin");
  standby->require_subcommand(1);
  CLI::App* approve = standby->add_subcommand(
      "approve", "The promotion or the rejoin on this node may begin; fettle standbys shows what waits");
  add_service(approve, *line);
  add_comment(approve, *line);
  add_socket(approve, *line);
  add_output(approve, line->output);
  approve->callback(choose(run_approve));

  CLI::App* ack = top.add_subcommand("ack", "The cause is mended: let an exhausted recovery plan act again");
  add_service(ack, *line);
  add_comment(ack, *line);
  add_socket(ack, *line);
  add_output(ack, line->output);
  ack->callback(choose(run_ack));
}

}  // namespace cli
