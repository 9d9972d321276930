// A program that says by its exit code how things are: monitoring plugins (0 ok, 1 warning, 2 critical, 3 unknown) and
// plain scripts. Its whole process tree ends with the run.
#include <algorithm>
#include <map>
#include <utility>

#include "base/secret.h"
#include "base/text.h"
#include "config/request.h"
#include "os/subprocess.h"
#include "probe/common/probe_schema.h"
#include "probe/common/program.h"
#include "probe/host/perfdata.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct ExecSettings {
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::string input;
  std::string directory = "/";
  std::vector<int> ok_codes{0};
};

constexpr std::size_t kAtATime = 4;
constexpr std::size_t kTextLimit = 300;
constexpr std::size_t kOutputLimit = 16 * 1024;

const config::Schema<ExecSettings>& schema() {
  static const auto schema =
      probe_schema<ExecSettings>("exec")
          .required(
              "command", &ExecSettings::command,
              "The program and its arguments, as a list; there is no shell. The program has an absolute path, and it "
              "and every folder above it may be written by root and the agent's user only.")
          .reach(config::Reach::file, config::ValueFormat::arguments)
          .optional("environment", &ExecSettings::environment, "All of its environment; nothing is inherited.")
          .reach(config::Reach::file, config::ValueFormat::text)
          .optional("input", &ExecSettings::input, "Text for its standard input.")
          .reach(config::Reach::file, config::ValueFormat::text)
          .optional("directory", &ExecSettings::directory, "Folder to run in.")
          .optional("ok_codes", &ExecSettings::ok_codes,
                    "Exit codes that mean up. [0, 1] lets a plugin's warning pass.")
          .reach(config::Reach::listed)
          .check([](const ExecSettings& exec, const config::Complain& complain) {
            if (exec.command.empty() || exec.command[0].empty()) complain("command", "must name a program");
            if (const std::string why = config::variables_complaint(exec.environment); !why.empty())
              complain("environment", why);
            if (exec.directory.empty() || exec.directory[0] != '/') complain("directory", "must be an absolute path");
            for (const int code : exec.ok_codes)
              if (code < 0 || code > 255) complain("ok_codes", "exit codes are 0 to 255");
          });
  return schema;
}

// The first line that it printed, for a person.
std::string said(const os::Finished& finished, const std::string& text) {
  std::string line = text;
  if (line.empty()) line = finished.err.substr(0, finished.err.find('\n'));
  return line.empty() ? "" : ": " + base::shortened(line, kTextLimit);
}

Outcome judge(const ExecSettings& settings, const os::Finished& finished) {
  PluginOutput plugin = parse_plugin_output(finished.out);
  const std::string words = said(finished, plugin.text);
  Outcome outcome;
  if (finished.timed_out) {
    outcome = Outcome::failure(Reason::exec_timeout, "still ran at its deadline and was killed" + words);
  } else if (finished.signal != 0) {
    outcome = Outcome::failure(Reason::signal, "ended by signal " + std::to_string(finished.signal) + words);
  } else {
    const bool ok =
        std::find(settings.ok_codes.begin(), settings.ok_codes.end(), finished.exit_code) != settings.ok_codes.end();
    std::string text = "exit code " + std::to_string(finished.exit_code) + words;
    outcome = ok ? Outcome::success(std::move(text)) : Outcome::failure(Reason::exit_code, std::move(text));
    outcome.measurements.push_back({"probe_exec_exit_code", static_cast<double>(finished.exit_code), {}});
  }
  for (PluginValue& value : plugin.values)
    outcome.measurements.push_back(
        {"probe_exec_perfdata", value.value, {{"label", value.label}, {"unit", value.unit}}});
  return outcome;
}

class ExecProbe final : public Probe {
 public:
  ExecProbe(const Context& context, const ExecSettings& settings) : context_(context), settings_(settings) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    os::Command command;
    command.argv = settings_.command;
    command.environment = settings_.environment;
    command.input = settings_.input;
    command.directory = settings_.directory;
    command.output_limit = kOutputLimit;
    running_ = run_program(context_, std::move(command), deadline, [this](const base::Result<os::Finished>& finished) {
      Outcome outcome = finished ? judge(settings_, *finished)
                                 : failure_at(settings_.command[0], finished.error(), Reason::agent_overloaded);
      std::exchange(done_, nullptr)(std::move(outcome));
    });
  }

 private:
  const Context& context_;
  const ExecSettings& settings_;
  Done done_;
  loop::Handle running_;
};

class Exec final : public Settings {
 public:
  explicit Exec(ExecSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<ExecProbe>(context, settings_);
  }
  std::string target() const override {
    std::string out;
    for (const std::string& word : base::without_secrets(settings_.command)) out += (out.empty() ? "" : " ") + word;
    return out;
  }

 private:
  ExecSettings settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  const std::size_t before = errors.size();
  ExecSettings settings = schema().parse(node, path, errors);
  if (errors.size() == before)
    check_program(settings.command.front(), node.find("command").mark(), path + ".command[0]", errors);
  return std::make_unique<Exec>(std::move(settings));
}

}  // namespace

const Type exec_type{
    .name = "exec",
    .summary = "Runs a program, such as a monitoring plugin; its exit code is the verdict, its perfdata are metrics.",
    .example = R"(name: disk
type: exec
command: [/usr/lib/nagios/plugins/check_disk, -w, 10%, -c, 5%, -p, /var/lib/order]
interval: 1m
timeout: 10s
ok_codes: [0, 1]
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_exec_exit_code"},
    // A list, or a program without arguments.
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      if (target.starts_with("[")) return {{"command", std::string(target)}};
      std::string quoted = "['";
      for (const char c : target) quoted += c == '\'' ? std::string("''") : std::string(1, c);
      return {{"command", quoted + "']"}};
    },
    .late = Reason::exec_timeout,
    .concurrency = kAtATime,
    .other_measurements = {{"probe_exec_perfdata"}},
};

}  // namespace probe
