#include "cli/usage.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "base/edit_distance.h"

namespace cli {
namespace {

struct Example {
  std::string_view command, text;
};

constexpr Example kExamples[] = {
    {"", "fettle init                          a first configuration from what runs here"},
    {"", "fettle check config /etc/fettle/fettle.yml"},
    {"", "fettle status                        what the agent sees"},
    {"", "fettle explain order                 why, and what it would do next"},
    {"agent", "fettle agent --config.file=fettle.yml --web.listen-address=127.0.0.1:10911 --storage.path="},
    {"init", "fettle init -                        print it, write nothing"},
    {"init", "fettle init --force                  replace /etc/fettle/fettle.yml, which is kept as fettle.yml.old"},
    {"audit", "fettle audit                         what runs here and is not watched, not mended, not told"},
    {"audit", "fettle audit --skip no-plan --config.file=fettle.yml"},
    {"check config", "fettle check config /etc/fettle/fettle.yml"},
    {"check config", "fettle check config --print-reference http"},
    {"check config",
     "fettle check config --print-polkit /etc/fettle/fettle.yml > /etc/polkit-1/rules.d/60-fettle.rules"},
    {"check rules", "fettle check rules /etc/fettle/rules/*.yml --config.file=/etc/fettle/fettle.yml"},
    {"check metrics", "curl -s http://127.0.0.1:8081/metrics | fettle check metrics"},
    {"test rules", "fettle test rules rules/tests/*.yml"},
    {"query", "fettle query 'fettle_service_up == 0'"},
    {"query", "fettle query --start=-1h --step=5m 'avg_over_time(probe_success[5m])'"},
    {"rules replay", "fettle rules replay --openmetrics=yesterday.om /etc/fettle/rules/services.yml"},
    {"rules debug", "fettle rules debug ServiceDown"},
    {"probe", "fettle probe order/http"},
    {"probe", "fettle probe http http://127.0.0.1:8081/healthz timeout=1s"},
    {"notify test", "fettle notify test ops"},
    {"status", "fettle status --watch"},
    {"status", "fettle status order -o json"},
    {"status", "fettle status --url=https://node2:10911 --http.config.file=/etc/fettle/client.yml"},
    {"top", "fettle top"},
    {"alerts", "fettle alerts"},
    {"fleet", "fettle fleet --watch=5s"},
    {"explain", "fettle explain order"},
    {"trust", "fettle trust order                   whether mode: enforce is a good idea"},
    {"incidents", "fettle incidents order"},
    {"incident", "fettle incident 4f2a"},
    {"recoveries", "fettle recoveries order"},
    {"drills", "fettle drills order"},
    {"dr", "fettle dr -o json"},
    {"drill", "fettle drill order --fault hang --comment \"alice: game day\""},
    {"drill run", "fettle drill run order-db --comment \"alice: new disk\""},
    {"standbys", "fettle standbys order"},
    {"standby approve", "fettle standby approve order --comment \"alice: node1 is gone\""},
    {"reload", "fettle reload"},
    {"maintenance", "fettle maintenance on order --for 2h --comment \"alice: upgrade\""},
    {"maintenance", "fettle maintenance on order --until-healthy 10m"},
    {"maintenance", "fettle maintenance off order"},
    {"maintenance", "fettle maintenance list"},
    {"audit-log", "fettle audit-log order -n 20"},
    {"recover", "fettle recover --dry-run order"},
    {"recover replay",
     "fettle recover replay --openmetrics=yesterday.om --config.file=/etc/fettle/fettle.yml --enforce"},
    {"recover", "fettle recover abort order --comment \"alice: I look at it\""},
    {"rollout", "fettle rollout order --action restart --batch 25% --comment \"alice: release 4.2\""},
    {"rollout", "fettle rollout order --status"},
    {"rollout", "fettle rollout order --resume"},
    {"ack", "fettle ack order --comment \"alice: disk replaced\""},
    {"silence add", "fettle silence add -d 2h -c \"alice: noisy, INC-7\" service=order 'severity!=page'"},
    {"silence list", "fettle silence list"},
    {"silence expire", "fettle silence expire $(fettle silence list -q)"},
};

CLI::App* subcommand(CLI::App& of, const std::string& name) {
  const auto found = of.get_subcommands([&](CLI::App* each) { return each->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

CLI::App* find(CLI::App& top, std::string_view path) {
  CLI::App* at = &top;
  while (!path.empty() && at != nullptr) {
    const std::size_t end = std::min(path.find(' '), path.size());
    at = subcommand(*at, std::string(path.substr(0, end)));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return at;
}

std::vector<std::string> names_of(CLI::App& of) {
  std::vector<std::string> names;
  for (const CLI::App* each : of.get_subcommands([](CLI::App* one) { return !one->get_group().empty(); }))
    names.push_back(each->get_name());
  return names;
}

}  // namespace

void add_examples(CLI::App& top) {
  for (const Example& example : kExamples)
    if (CLI::App* command = find(top, example.command); command != nullptr) {
      const std::string before = command->get_footer();
      command->footer(fmt::format("{}\n  {}", before.empty() ? "Examples:" : before, example.text));
    }
}

std::string help_of(CLI::App& top, const std::vector<std::string>& words) {
  CLI::App* at = &top;
  std::string name = top.get_name();
  for (const std::string& word : words) {
    at = subcommand(*at, word);
    if (at == nullptr) return "";
    name += " " + word;
  }
  return at->get_formatter()->make_help(at, name, CLI::AppFormatMode::Normal);
}

std::string unknown_command(CLI::App& top, const std::vector<std::string>& words) {
  CLI::App* at = &top;
  std::string name = top.get_name();
  for (const std::string& word : words) {
    if (word.starts_with('-') || at->get_require_subcommand_min() == 0) return "";
    CLI::App* next = subcommand(*at, word);
    if (next == nullptr) {
      const std::vector<std::string> known = names_of(*at);
      const std::string near = base::nearest(word, known);
      const std::string meant = near.empty() ? "; " : fmt::format("; did you mean '{} {}'? ", name, near);
      const std::string help = at == &top ? "fettle help" : "fettle help" + name.substr(top.get_name().size());
      return fmt::format("there is no command '{} {}'{}{} lists all", name, word, meant, help);
    }
    at = next;
    name += " " + word;
  }
  return "";
}

std::string wrong_line(const CLI::App& top, const CLI::ParseError& error) {
  const CLI::App* at = &top;
  std::string name = top.get_name(), path;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    name += " " + at->get_name();
    path += " " + at->get_name();
  }
  std::string text = error.what();
  std::vector<std::string> known;
  if (at->get_require_subcommand_min() > 0 && error.get_name() == "RequiredError") {
    for (const CLI::App* each : at->get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
      known.push_back(each->get_name());
    text = at == &top ? "a command is missing" : fmt::format("say what: {}", fmt::join(known, ", "));
  } else if (const std::size_t option = text.find("--"); option != std::string::npos) {
    for (const CLI::Option* each : at->get_options())
      for (const std::string& word : each->get_lnames()) known.push_back("--" + word);
    const std::string word = text.substr(option, text.find_first_of(" =:", option) - option);
    const std::string near = base::nearest(word, known);
    if (!near.empty() && near != word) text += fmt::format("; did you mean {}?", near);
  }
  return fmt::format("{}: {}\n{} help{} says how\n", name, text, top.get_name(), path);
}

}  // namespace cli
