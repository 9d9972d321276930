// Subcommands, flags, exit codes (cli/exit_code.h). What each does is in cli/ (clients) and app/; those that ask a
// running agent have their flags there as well (cli/reading.cc, cli/admin.cc, cli/silence.cc).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "app/agent.h"
#include "app/audit/audit.h"
#include "app/check.h"
#include "app/config_lint.h"
#include "app/init/init.h"
#include "app/loaded_config.h"
#include "app/notify_test.h"
#include "app/reference.h"
#include "app/replay/replay_recover.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/terminal.h"
#include "base/thread.h"
#include "base/version.h"
#include "cli/admin.h"
#include "cli/complete.h"
#include "cli/exit_code.h"
#include "cli/metrics_lint.h"
#include "cli/output.h"
#include "cli/reading.h"
#include "cli/rollout.h"
#include "cli/silence.h"
#include "cli/usage.h"
#include "loop/signals.h"
#include "model/agent_defaults.h"
#include "os/own_view.h"
#include "probe/registry.h"
#include "rules/tools/rule_cases.h"

namespace {

using cli::kUsage;

int run_agent(const app::AgentOptions& options, const std::string& level, const std::string& format) {
  const auto log_level = base::log::parse_level(level);
  const auto log_format = base::log::parse_format(format);
  if (!log_level || !log_format) {
    base::print(stderr, "fettle agent: {}\n", log_level ? log_format.error().text : log_level.error().text);
    return kUsage;
  }
  base::log::configure(*log_level, *log_format);
  base::give_back_large_blocks();
  if (const std::string few = os::few_open_files(); !few.empty()) {
    base::log::error("fettle cannot start", {{"error", few}});
    return 1;
  }
  loop::block_signals();
  config::Errors errors;
  app::LoadedConfig loaded = app::load(options.config_file, errors, options.listen_address);
  app::warn_of_units(loaded, app::unit_folders(), errors);
  const std::string mistakes = errors.text();
  app::leave_out_mistakes(options.config_file, loaded, errors);
  if (!errors.empty()) {
    base::print(stderr, "{}", mistakes);
    return 1;
  }
  for (const std::string& warning : errors.warnings()) base::log::warn("configuration", {{"warning", warning}});
  auto agent = app::Agent::start(options, std::move(loaded));
  if (!agent) {
    base::log::error("fettle cannot start", {{"error", agent.error().text}});
    return 1;
  }
  (*agent)->run();
  return 0;
}

using cli::Chosen;

using cli::add_output;
using cli::form_of;

// `fettle help rules debug` is `fettle rules debug --help`.
void add_help(CLI::App& top, Chosen& chosen) {
  static std::vector<std::string> words;
  CLI::App* help = top.add_subcommand("help", "What fettle can do, or what a command can: fettle help agent");
  help->add_option("COMMAND", words, "Command");
  help->callback([&top, &chosen] {
    const std::string text = cli::help_of(top, words);
    if (text.empty()) {
      const std::string meant = cli::unknown_command(top, words);
      throw CLI::ValidationError(meant.empty() ? "there is no such command; fettle help lists all" : meant);
    }
    chosen = [text] {
      base::print(stdout, "{}", text);
      return 0;
    };
  });
}

void add_version(CLI::App& top, Chosen& chosen) {
  static std::string output = "text";
  CLI::App* version = top.add_subcommand("version", "Version and revision of this program");
  add_output(version, output);
  version->callback([&chosen] {
    chosen = [] {
      if (output == "json")
        base::print(stdout, "{{\"version\":\"{}\",\"revision\":\"{}\"}}\n", base::version(), base::revision());
      else base::print(stdout, "fettle {}, revision {}\n", base::version(), base::revision());
      return 0;
    };
  });
}

// For the completions of shells; not for people, and so not in the help.
void add_complete(CLI::App& top, Chosen& chosen) {
  static std::vector<std::string> words;
  CLI::App* complete = top.add_subcommand("complete", "Words that may come next on a line")->group("");
  complete->add_option("WORD", words, "Behind --: the words of the line, the last one not finished");
  complete->callback([&top, &chosen] {
    chosen = [&top] {
      std::vector<std::string> types;
      for (const probe::Type* type : probe::types()) types.emplace_back(type->name);
      for (const std::string& word : cli::completions(top, words, cli::ask_for_names(std::move(types))))
        base::print(stdout, "{}\n", word);
      return 0;
    };
  });
}

void add_colour(CLI::App* command, std::string& choice) {
  command->add_option("--color", choice, "auto (a terminal, unless NO_COLOR is set), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
}

void add_agent(CLI::App& top, Chosen& chosen) {
  static app::AgentOptions options;
  static std::string level = "info", format = "logfmt", timeout = "2m";
  CLI::App* agent = top.add_subcommand("agent", "Run the agent of this node");
  agent->add_option("--config.file", options.config_file, "Configuration file")->capture_default_str();
  agent
      ->add_option("--web.listen-address", options.listen_address, "[host]:port to serve pages, metrics and the API on")
      ->capture_default_str();
  agent->add_option("--web.config.file", options.web_config_file,
                    "TLS and basic auth, in the exporter toolkit's format");
  agent->add_option("--web.external-url", options.external_url, "URL under which people reach this agent, for links");
  agent->add_option("--storage.path", options.storage_path, "Folder of the durable state; \"\" keeps none")
      ->capture_default_str();
  agent
      ->add_option("--admin.socket", options.admin_socket,
                   "Unix socket for reload, silences, maintenance; \"\" for none")
      ->capture_default_str();
  agent
      ->add_option("--query.max-concurrency", options.max_queries, "Queries of the API that run at a time; others wait")
      ->check(CLI::Range(1, 200))
      ->capture_default_str();
  agent->add_option("--query.timeout", timeout, "Longest time of a query, the wait for its turn included")
      ->capture_default_str();
  agent->add_flag("--no-run-duration-histogram{false}", options.run_duration_histogram,
                  "Leave out probe_run_duration_seconds, which has seven series for each probe");
  agent->add_option("--query.max-samples", options.max_samples, "Most samples that a query holds in memory")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  agent->add_option("--log.level", level, "debug, info, warn or error")->capture_default_str();
  agent->add_option("--log.format", format, "logfmt or json")->capture_default_str();
  agent->callback([&chosen] {
    const auto parsed = base::parse_duration(timeout);
    if (!parsed || *parsed <= base::Millis{0})
      throw CLI::ValidationError("--query.timeout: expected a duration such as 2m, got " + timeout);
    options.query_timeout = *parsed;
    chosen = [] { return run_agent(options, level, format); };
  });
}

// --lint, --lint-fatal and --color, as they were written.
struct LintFlags {
  std::string lint = "all", colour = "auto";
  bool fatal = false;

  void add_to(CLI::App* command) {
    command->add_option("--lint", lint, "all, none, or with commas between: duplicate-rules, never-fires")
        ->capture_default_str();
    command->add_flag("--lint-fatal", fatal, "End with exit code 3 if lint found something");
    add_colour(command, colour);
  }
  rules::CheckOptions options() const {
    rules::CheckOptions out;
    auto checks = rules::parse_lint(lint);
    if (!checks) throw CLI::ValidationError(checks.error().text);
    out.lint = std::move(*checks);
    out.verdict = fatal ? rules::LintVerdict::fatal : rules::LintVerdict::warning;
    out.colour = base::colour_of(colour);
    return out;
  }
};

void add_check(CLI::App& top, Chosen& chosen) {
  static std::string file, config_file, output = "text";
  static std::vector<std::string> files;
  static bool polkit = false, reference = false;
  static LintFlags flags;
  static int compat = 0;
  static rules::CheckOptions options;
  CLI::App* check = top.add_subcommand("check", "Look for mistakes without running anything")->require_subcommand(1);
  CLI::App* config = check->add_subcommand("config", "A configuration file and all that it names");
  config->add_option("FILE", file, "Configuration file; with --print-reference a topic: http, recovery, slack_configs");
  config->add_flag("--print-polkit", polkit, "Print the polkit rule that the configuration's plans need");
  config->add_flag("--print-reference", reference,
                   "Print every key that a configuration can have, or those of a topic");
  flags.add_to(config);
  add_output(config, output);
  config->callback([&chosen] {
    if (!reference && file.empty()) throw CLI::RequiredError("FILE");
    options = flags.options();
    chosen = [] {
      return reference ? app::print_reference(file)
             : polkit  ? app::print_polkit(file)
                       : app::check_config(file, options, form_of(output));
    };
  });
  CLI::App* rules = check->add_subcommand("rules", "Prometheus rule files");
  rules->add_option("FILE", files, "Rule files")->required();
  rules->add_option("--config.file", config_file, "Also name the rules that can never fire with this configuration");
  rules
      ->add_option("--promql.compat", compat,
                   "2 or 3: whose PromQL and rule files; without it that of --config.file, or 3")
      ->check(CLI::IsMember({2, 3}));
  flags.add_to(rules);
  add_output(rules, output);
  rules->callback([&chosen] {
    options = flags.options();
    options.form = form_of(output);
    chosen = [] {
      const auto wanted = compat == 2 ? promql::Compat::v2 : promql::Compat::v3;
      return app::check_rules(files, config_file, options, compat == 0 ? std::nullopt : std::optional(wanted));
    };
  });
  CLI::App* metrics = check->add_subcommand("metrics", "Lint a metrics page on standard input");
  add_output(metrics, output);
  metrics->callback([&chosen] { chosen = [] { return cli::lint_standard_input(form_of(output)); }; });
}

void add_test(CLI::App& top, Chosen& chosen) {
  static std::vector<std::string> files;
  static int compat = 3;
  static std::string colour = "auto", output = "text";
  static bool debug = false;
  static rules::UnitTestOptions options;
  CLI::App* test = top.add_subcommand("test", "Run unit tests")->require_subcommand(1);
  CLI::App* rules = test->add_subcommand("rules", "Unit tests of rule files, in promtool's format");
  rules->add_option("FILE", files, "Test files")->required();
  rules->add_option("--run", options.run, "Only test groups with a name that this regular expression finds; repeatable")
      ->allow_extra_args(false);
  rules->add_flag("--debug", debug, "Print what was evaluated when, and all samples at the end of each test");
  rules->add_option("--junit", options.junit_file, "Write the results to this file as JUnit XML");
  rules->add_option("--promql.compat", compat, "2 or 3: whose PromQL")
      ->check(CLI::IsMember({2, 3}))
      ->capture_default_str();
  add_colour(rules, colour);
  add_output(rules, output);
  rules->callback([&chosen] {
    options.form = form_of(output);
    options.compat = compat == 2 ? promql::Compat::v2 : promql::Compat::v3;
    options.trace = debug ? rules::Trace::debug : rules::Trace::none;
    options.colour = base::colour_of(colour);
    options.started = std::chrono::floor<base::Millis>(std::chrono::system_clock::now());
    chosen = [] { return rules::run_unit_tests(files, options, stdout, stderr); };
  });
}

void add_init(CLI::App& top, Chosen& chosen) {
  static app::InitOptions options;
  static std::string output = "text";
  CLI::App* init = top.add_subcommand(
      "init", "Write a first configuration: what runs on this node, probed, with all plans in dry_run");
  init->add_option("FILE", options.file, "File to write; - for standard output")->capture_default_str();
  init->add_flag("--force", options.force, "Replace the file if it is there, and keep it as FILE.old");
  init->add_flag("--no-connect{false}", options.ask,
                 "Do not connect to ports to find out what speaks there: choose probes by program and port");
  add_output(init, output);
  init->callback([&chosen] {
    options.form = form_of(output);
    chosen = [] { return app::init(options); };
  });
}

void add_audit(CLI::App& top, Chosen& chosen) {
  static app::AuditOptions options;
  static std::string output = "text";
  CLI::App* audit = top.add_subcommand("audit",
                                       "What runs on this node and no service watches, what no plan mends, which "
                                       "alerts reach no receiver; exit code 1 if "
                                       "something is found");
  audit->add_option("--config.file", options.file, "Configuration file")->capture_default_str();
  audit->add_option("--skip", options.skip, "Gaps that are not told; repeatable")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(app::gap_names()));
  add_output(audit, output);
  audit->callback([&chosen] {
    options.form = form_of(output);
    chosen = [] { return app::audit(options); };
  });
}

// Beside the commands that ask the agent, below the same word.
void add_recover_replay(CLI::App& top, Chosen& chosen) {
  static app::ReplayRecoverOptions options;
  static std::string output = "text";
  CLI::App* replay = top.get_subcommand("recover")->add_subcommand(
      "replay",
      "What the plans of a configuration would have done when, over the samples of a file; no agent is asked");
  replay->add_option("--openmetrics", options.openmetrics, "OpenMetrics file of samples with their times")->required();
  replay->add_option("--config.file", options.config_file, "Configuration file")->capture_default_str();
  replay->add_flag("--enforce", options.enforce, "As if every plan were in mode enforce: budgets are spent");
  add_output(replay, output);
  replay->callback([&chosen] {
    options.form = form_of(output);
    chosen = [] { return app::replay_recover(options); };
  });
}

void add_probe(CLI::App& top, Chosen& chosen) {
  static std::string file;
  static std::vector<std::string> arguments;
  CLI::App* probe = top.add_subcommand(
      "probe", "Run one probe once: SERVICE/PROBE of the configuration, or TYPE TARGET [key=value…]");
  probe->add_option("--config.file", file, "Configuration file, for SERVICE/PROBE");
  probe->add_option("WHAT", arguments, "SERVICE/PROBE, or TYPE TARGET [key=value…]")->required();
  static std::string output = "text";
  add_output(probe, output);
  probe->callback([&chosen] { chosen = [] { return app::probe_once(file, arguments, form_of(output)); }; });
}

void add_notify(CLI::App& top, Chosen& chosen) {
  static std::string file(model::kConfigFile), receiver, output = "text";
  CLI::App* notify = top.add_subcommand("notify", "Notifications");
  notify->require_subcommand(1);
  CLI::App* test = notify->add_subcommand(
      "test",
      "Send one message by each integration of a receiver, now and without an agent; exit code 1 if one was not "
      "taken");
  test->add_option("RECEIVER", receiver, "Name of the receiver")->required();
  test->add_option("--config.file", file, "Configuration file")->capture_default_str();
  add_output(test, output);
  test->callback([&chosen] { chosen = [] { return app::notify_test(file, receiver, form_of(output)); }; });
}

// --flag= means an empty value here, as it does for Prometheus' programs; CLI11 reads it as none.
std::vector<std::string> reversed_arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    const bool is_empty_flag =
        argument.starts_with("--") && argument.ends_with('=') && argument.find('=') + 1 == argument.size();
    if (is_empty_flag) argument.pop_back();
    arguments.push_back(std::move(argument));
    if (is_empty_flag) arguments.emplace_back();
  }
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  if (const std::string text = base::settle_stacks(); !text.empty()) {
    base::print(stderr, "fettle cannot start: {}\n", text);
    return 1;
  }
  CLI::App top("fettle: health exporter, alerting and recovery agent for the services of this node", "fettle");
  top.set_version_flag("--version", std::string("fettle ") + std::string(base::version()));
  top.require_subcommand(1);
  Chosen chosen;
  add_help(top, chosen);
  add_agent(top, chosen);
  add_check(top, chosen);
  add_test(top, chosen);
  add_init(top, chosen);
  add_audit(top, chosen);
  add_probe(top, chosen);
  add_notify(top, chosen);
  cli::add_reading_commands(top, chosen);
  cli::add_admin_commands(top, chosen);
  add_recover_replay(top, chosen);
  cli::add_rollout_command(top, chosen);
  cli::add_silence_commands(top, chosen);
  add_version(top, chosen);
  add_complete(top, chosen);
  cli::add_examples(top);
  if (const std::string text =
          cli::unknown_command(top, std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
      !text.empty()) {
    base::print(stderr, "fettle: {}\n", text);
    return kUsage;
  }
  try {
    top.parse(reversed_arguments(argc, argv));
  } catch (const CLI::ParseError& e) {
    std::ostringstream out, err;
    const int code = top.exit(e, out, err);
    base::print(stdout, "{}", out.str());
    if (code == 0) return 0;
    base::print(stderr, "{}", cli::wrong_line(top, e));
    return kUsage;
  }
  return chosen();
}
