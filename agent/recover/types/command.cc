// A program with its arguments: no shell, an environment of its own, the event as JSON on standard input, limits. What
// an alert says never gets into an argument or a variable unless the configuration names that label, and into an
// argument only if it is harmless there.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "config/foreign.h"
#include "config/request.h"
#include "config/schema.h"
#include "loop/scheduler.h"
#include "os/program_file.h"
#include "os/subprocess.h"
#include "recover/action.h"

namespace recover {
namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What may stay behind when the program has ended by itself.
enum class Leaves { daemon, nothing };

struct LimitSettings {
  std::optional<base::Millis> cpu;
  std::optional<std::size_t> file_bytes, processes;
  std::size_t open_files = 1024;
  std::size_t memory_bytes = 0;
  std::size_t output_bytes = 64 * 1024;
};

struct Settings {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::vector<std::string> pass_environment;
  std::vector<std::string> pass_labels;
  base::Millis limit{30'000};
  base::Millis grace{5'000};
  Leaves leaves = Leaves::daemon;
  LimitSettings limits;
};

// Found by Schema through their type.
bool read(const config::Node& node, Leaves& out, std::string& why) {
  std::size_t index = 0;
  if (!config::read_one_of(node, {"daemon", "nothing"}, index, why)) return false;
  out = static_cast<Leaves>(index);
  return true;
}
std::string show(Leaves leaves) { return leaves == Leaves::daemon ? "daemon" : "nothing"; }

template <typename T>
auto optional_reader(std::optional<T> LimitSettings::*member) {
  return [member](const config::Node& node, LimitSettings& out, const std::string& path, config::Errors& errors) {
    std::string why;
    T value{};
    using config::read;
    if (read(node, value, why)) out.*member = value;
    else errors.add(node.mark(), path, why);
  };
}

const auto& limits_schema() {
  static const auto s =
      config::Schema<LimitSettings>("limits")
          .custom("cpu", "Computing time of each process; then SIGXCPU. 0s: none.",
                  "the command's limit; none if it leaves a daemon", optional_reader(&LimitSettings::cpu))
          .custom("file_bytes", "Size that a file may grow to; then SIGXFSZ. 0: none.",
                  "1073741824; none if it leaves a daemon", optional_reader(&LimitSettings::file_bytes))
          .custom("processes",
                  "Processes and threads beside those that the agent's user has at the start; not for root. 0: none.",
                  "64; none if it leaves a daemon", optional_reader(&LimitSettings::processes))
          .optional("open_files", &LimitSettings::open_files, "Open files of each process. 0: as many as the agent.")
          .optional("memory_bytes", &LimitSettings::memory_bytes, "Address space of each process. 0: no limit.")
          .optional("output_bytes", &LimitSettings::output_bytes,
                    "Of standard output and of standard error, head and tail of each; the rest is thrown away.")
          .check([](const LimitSettings& l, const config::Complain& complain) {
            if (l.cpu && l.cpu->count() % 1000 != 0) complain("cpu", "must be whole seconds");
            if (l.cpu && *l.cpu < base::Millis{0}) complain("cpu", "must not be negative");
            if (l.open_files != 0 && l.open_files < 16) complain("open_files", "must be at least 16");
            if (l.output_bytes < 256) complain("output_bytes", "must be at least 256");
          });
  return s;
}

// A daemon inherits the limits of its starter: what would end it some day, or starve it, is only set where it was asked
// for.
os::Limits limits_of(const Settings& settings) {
  const bool ends = settings.leaves == Leaves::nothing;
  const auto& l = settings.limits;
  os::Limits out;
  out.cpu = std::chrono::ceil<std::chrono::seconds>(l.cpu.value_or(ends ? settings.limit : base::Millis{0}));
  out.file_bytes = l.file_bytes.value_or(ends ? 1024 * 1024 * 1024 : 0);
  out.processes = l.processes.value_or(ends ? 64 : 0);
  out.open_files = l.open_files;
  out.memory_bytes = l.memory_bytes;
  return out;
}

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("command")
          .required(
              "argv", &Settings::argv,
              "Absolute path of the program, then its arguments. {service}, {node}, {action_id} and {label.NAME} "
              "of pass_labels are filled in if their values are letters, digits and _.@:- only, and, at the beginning "
              "of an argument, have no - in front.")
          .optional("environment", &Settings::environment, "Further variables for the program.")
          .optional("pass_environment", &Settings::pass_environment,
                    "Names of the agent's own variables that the program may see.")
          .optional(
              "pass_labels", &Settings::pass_labels,
              "Labels of the alert that the program sees as FETTLE_LABEL_NAME; all of them are in the event on its "
              "standard input.")
          .optional("limit", &Settings::limit,
                    "SIGTERM at this age, SIGKILL to all of its processes `grace` later; the step's timeout if that is "
                    "shorter.")
          .optional("grace", &Settings::grace, "How long it may take to obey SIGTERM; at most 10s.")
          .optional(
              "leaves", &Settings::leaves,
              "daemon: what it has started and left running when it ended within its limit lives on; nothing: that "
              "is killed.")
          .optional("limits", &Settings::limits, limits_schema(), "What it may use, with all that it starts.")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.argv.empty()) complain("argv", "must name a program");
            if (const std::string why = config::variables_complaint(s2.environment); !why.empty())
              complain("environment", why);
            if (s2.limit <= base::Millis{0}) complain("limit", "must be longer than 0s");
            if (s2.grace < base::Millis{0} || s2.grace > base::Millis{10'000})
              complain("grace", "must be from 0s to 10s");
            for (const std::string& label : s2.pass_labels)
              if (!config::is_label_name(label))
                complain("pass_labels", fmt::format("'{}' is no name of a label", label));
          });
  return s;
}

constexpr std::string_view kLabel = "label.";

// The next "{word}" or "{label.NAME}" at or after `from`: where it begins and its size with the braces; npos if there
// is none.
std::pair<std::size_t, std::size_t> next_placeholder(std::string_view text, std::size_t from) {
  for (std::size_t open = text.find('{', from); open != std::string_view::npos; open = text.find('{', open + 1)) {
    std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", open + 1);
    if (text.substr(open + 1).starts_with(kLabel))
      end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
                                   open + 1 + kLabel.size());
    if (end != std::string_view::npos && end > open + 1 && text[end] == '}') return {open, end + 1 - open};
  }
  return {std::string_view::npos, 0};
}

// The labels of the alert in an event; a recovery that a person started may have none.
std::map<std::string, std::string> labels_of(const std::string& event) {
  std::map<std::string, std::string> out;
  const auto json = nlohmann::json::parse(event, nullptr, false);
  const auto alert = json.is_object() ? json.find("alert") : json.end();
  if (alert == json.end() || !alert->is_object() || !alert->contains("labels")) return out;
  for (const auto& [name, value] : alert->at("labels").items())
    if (value.is_string()) out[name] = value;
  return out;
}

// What stands for a placeholder, without its braces. Only words that the configuration has been checked for come here.
std::string value_of(std::string_view word, const Trigger& trigger, const std::map<std::string, std::string>& labels) {
  if (word == "service") return trigger.service;
  if (word == "node") return trigger.node;
  if (word == "action_id") return trigger.recovery_id;
  const auto label = labels.find(std::string(word.substr(kLabel.size())));
  return label == labels.end() ? "" : label->second;
}

base::Result<std::vector<std::string>> fill_in(const std::vector<std::string>& argv, const Trigger& trigger,
                                               const std::map<std::string, std::string>& labels) {
  std::vector<std::string> out;
  for (const std::string& argument : argv) {
    std::string filled;
    std::size_t at = 0;
    for (auto [open, size] = next_placeholder(argument, 0); open != std::string::npos;
         std::tie(open, size) = next_placeholder(argument, at)) {
      const std::string value = value_of(std::string_view(argument).substr(open + 1, size - 2), trigger, labels);
      filled += argument.substr(at, open - at);
      const std::string why = config::word_complaint(filled, value, std::string_view(argument).substr(open + size));
      if (!why.empty())
        return base::fail(
            base::Kind::invalid,
            fmt::format(
                "{}{} is not put into arguments: it {}; the program can read it from FETTLE_… or standard input",
                argument.substr(open, size),
                config::foreign_complaint(value, config::ValueFormat::text).empty() ? fmt::format(" '{}'", value) : "",
                why));
      filled += value;
      at = open + size;
    }
    out.push_back(filled + argument.substr(at));
  }
  return out;
}

ActionResult result_of(const std::string& name, const base::Result<os::Finished>& finished) {
  if (!finished)
    return {ActionStatus::failed, name + ": " + finished.error().text, finished.error().kind == base::Kind::limit};
  const std::string killed =
      finished->survivors_killed > 0 ? fmt::format("; {} of its processes killed", finished->survivors_killed) : "";
  const std::string said = base::first_line(finished->err.empty() ? finished->out : finished->err, 200);
  const std::string tail = killed + (said.empty() ? "" : ": " + said);
  if (finished->timed_out) return {ActionStatus::timeout, name + ": not ended within its limit" + tail};
  if (finished->signal != 0) {
    const char* why = finished->signal == SIGXCPU   ? " (limits.cpu)"
                      : finished->signal == SIGXFSZ ? " (limits.file_bytes)"
                                                    : "";
    return {ActionStatus::failed, fmt::format("{}: ended by signal {}{}{}", name, finished->signal, why, tail)};
  }
  return {finished->exit_code == 0 ? ActionStatus::ok : ActionStatus::failed,
          fmt::format("{}: exit code {}{}", name, finished->exit_code, tail)};
}

class CommandAction final : public Action {
 public:
  explicit CommandAction(Settings settings) : settings_(std::move(settings)) {}

  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    const auto refuse = [&](const std::string& why) {
      return context.scheduler.after({}, [done = std::move(done), why] { done({ActionStatus::refused, why}); });
    };
    const auto labels = labels_of(trigger.event_json);
    auto argv = fill_in(settings_.argv, trigger, labels);
    if (!argv) return refuse(argv.error().text);
    for (const std::string& name : settings_.pass_labels)
      if (const auto label = labels.find(name); label != labels.end() && label->second.find('\0') != std::string::npos)
        return refuse(fmt::format("the label {} has a NUL in it, which no variable can hold", name));
    // It may have been changed since the configuration was loaded.
    if (const auto good = os::check_program(argv->front()); !good) {
      const ActionResult refused{ActionStatus::refused, good.error().text, good.error().kind == base::Kind::limit};
      return context.scheduler.after({}, [done = std::move(done), refused] { done(refused); });
    }
    os::Command command;
    command.argv = std::move(*argv);
    command.environment = environment(trigger, labels);
    command.input = trigger.event_json;
    const auto left = std::chrono::duration_cast<base::Millis>(deadline - context.scheduler.now());
    command.leftovers = settings_.leaves == Leaves::daemon ? os::Leftovers::kept : os::Leftovers::killed;
    command.limit = std::min(settings_.limit, std::max(left, base::Millis{1}));
    command.grace = settings_.grace;
    command.limits = limits_of(settings_);
    command.output_limit = settings_.limits.output_bytes;
    return context.spawner.spawn(std::move(command), [name = text(), done = std::move(done)](
                                                         base::Result<os::Finished> r) { done(result_of(name, r)); });
  }
  std::string text() const override { return "command " + settings_.argv.front(); }

 private:
  std::map<std::string, std::string> environment(const Trigger& trigger,
                                                 const std::map<std::string, std::string>& labels) const {
    std::map<std::string, std::string> out{{"PATH", kPath}, {"LANG", "C.UTF-8"}};
    for (const std::string& name : settings_.pass_environment)
      if (const char* value = std::getenv(name.c_str())) out[name] = value;
    for (const auto& [name, value] : settings_.environment) out[name] = value;
    for (const std::string& name : settings_.pass_labels) {
      const auto label = labels.find(name);
      out["FETTLE_LABEL_" + name] = label == labels.end() ? "" : label->second;
    }
    out["FETTLE_SERVICE"] = trigger.service;
    out["FETTLE_UNIT"] = trigger.unit;
    out["FETTLE_NODE"] = trigger.node;
    out["FETTLE_ACTION_ID"] = trigger.recovery_id;
    out["FETTLE_ATTEMPT"] = fmt::format("{}", trigger.attempt);
    return out;
  }

  Settings settings_;
};

// What is wrong with a placeholder, or "".
std::string word_complaint(const std::string& word, const std::vector<std::string>& labels) {
  if (word == "service" || word == "node" || word == "action_id") return "";
  if (!word.starts_with(kLabel))
    return fmt::format("unknown placeholder {{{}}}; there are {{service}}, {{node}}, {{action_id}} and {{label.NAME}}",
                       word);
  const std::string label = word.substr(kLabel.size());
  if (std::find(labels.begin(), labels.end(), label) != labels.end()) return "";
  return fmt::format("{{{}}} needs the label to be allowed: add pass_labels: [{}]", word, label);
}

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  if (node.is_scalar()) {
    errors.add(
        node.mark(), path,
        fmt::format("there is no shell: write the program and its arguments as a list, {{command: {{argv: [{}]}}}}",
                    node.scalar().substr(0, node.scalar().find(' ')) +
                        (node.scalar().find(' ') == std::string::npos ? "" : ", …")));
    return nullptr;
  }
  if (const config::Node argv = node.find("argv"); argv.is_scalar()) {
    errors.add(argv.mark(), path + ".argv", "there is no shell: write a list, [/path/of/program, argument, …]");
    return nullptr;
  }
  Settings settings = schema().parse(node, path, errors);
  if (errors.size() > before) return nullptr;
  const config::Mark at = node.find("argv").mark();
  if (const auto good = os::check_program(settings.argv.front()); !good)
    errors.add(at, path + ".argv[0]", good.error().text);
  for (std::size_t i = 0; i < settings.argv.size(); ++i) {
    const std::string& argument = settings.argv[i];
    std::size_t from = 0;
    for (auto [open, size] = next_placeholder(argument, 0); open != std::string::npos;
         std::tie(open, size) = next_placeholder(argument, from)) {
      const std::string word = argument.substr(open + 1, size - 2);
      from = open + size;
      const std::string complaint = word_complaint(word, settings.pass_labels);
      if (!complaint.empty()) errors.add(at, fmt::format("{}.argv[{}]", path, i), complaint);
    }
  }
  if (errors.size() > before) return nullptr;
  return std::make_unique<CommandAction>(std::move(settings));
}

}  // namespace

extern const ActionType command_type;
const ActionType command_type{
    "command",
    "Runs a program as the agent's user, without a shell. The event is JSON on its standard "
    "input. The program, and every folder above it, may be written by root and that user only.",
    "{command: {argv: [/usr/bin/env, \"{service}\"], limit: 10s, leaves: nothing}}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
