// A program with its arguments: no shell, an environment of its own, the event as JSON on standard input, a limit.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <tuple>

#include "recover/action.h"

namespace recover {
namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Settings {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::vector<std::string> pass_environment;
  base::Millis limit{30'000};
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("command")
          .required(
              "argv", &Settings::argv,
              "Absolute path of the program, then its arguments. {service}, {node} and {action_id} are filled in.")
          .optional("environment", &Settings::environment, "Further variables for the program.")
          .optional("pass_environment", &Settings::pass_environment,
                    "Names of the agent's own variables that the program may see.")
          .optional("limit", &Settings::limit,
                    "SIGTERM at this age, SIGKILL to all of its processes 5s later; the step's timeout if that is "
                    "shorter.")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.argv.empty()) complain("argv", "must name a program");
            if (s2.limit <= base::Millis{0}) complain("limit", "must be longer than 0s");
          });
  return s;
}

bool harmless(std::string_view value) {
  const auto good = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("_.@:-").find(c) != std::string_view::npos;
  };
  return !value.empty() && value.size() <= 128 && std::all_of(value.begin(), value.end(), good);
}

constexpr std::array<std::string_view, 3> kPlaceholders{"{service}", "{node}", "{action_id}"};

// The next "{word}" at or after `from`; npos if there is none.
std::pair<std::size_t, std::size_t> next_placeholder(std::string_view text, std::size_t from) {
  for (std::size_t open = text.find('{', from); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", open + 1);
    if (end != std::string_view::npos && end > open + 1 && text[end] == '}') return {open, end + 1 - open};
  }
  return {std::string_view::npos, 0};
}

// What is wrong with the program's file, or "".
std::string path_complaint(const std::string& path) {
  if (path.empty() || path[0] != '/')
    return fmt::format("'{}' is no absolute path; write where the program lies, such as /usr/bin/systemctl", path);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fmt::format("{}: {}", path, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return fmt::format("{} is no regular file", path);
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fmt::format("{} may be written by its group or by others, who could have anything run; chmod go-w it", path);
  if (::access(path.c_str(), X_OK) != 0) return fmt::format("{} cannot be executed by this user; chmod +x it", path);
  return "";
}

base::Result<std::vector<std::string>> fill_in(const std::vector<std::string>& argv, const Trigger& trigger) {
  const std::array<std::string_view, 3> values{trigger.service, trigger.node, trigger.recovery_id};
  std::vector<std::string> out;
  for (const std::string& argument : argv) {
    std::string filled;
    std::size_t at = 0;
    for (auto [open, size] = next_placeholder(argument, 0); open != std::string::npos;
         std::tie(open, size) = next_placeholder(argument, at)) {
      const auto known =
          std::find(kPlaceholders.begin(), kPlaceholders.end(), std::string_view(argument).substr(open, size));
      const std::string_view value = values[static_cast<std::size_t>(known - kPlaceholders.begin())];
      if (!harmless(value))
        return base::fail(
            base::Kind::invalid,
            fmt::format("{} is '{}', which is not put into arguments: only letters, digits and _.@:- are, "
                        "up to 128 of them; the program can read it from FETTLE_… or standard input",
                        *known, value));
      filled += argument.substr(at, open - at);
      filled += value;
      at = open + size;
    }
    out.push_back(filled + argument.substr(at));
  }
  return out;
}

std::string first_line(const std::string& text) { return text.substr(0, std::min<std::size_t>(text.find('\n'), 200)); }

ActionResult result_of(const std::string& name, const base::Result<loop::Finished>& finished) {
  if (!finished) return {"failed", name + ": " + finished.error().text};
  const std::string killed =
      finished->survivors_killed > 0 ? fmt::format("; {} of its processes killed", finished->survivors_killed) : "";
  const std::string said = first_line(finished->err.empty() ? finished->out : finished->err);
  const std::string tail = killed + (said.empty() ? "" : ": " + said);
  if (finished->timed_out) return {"timeout", name + ": not ended within its limit" + tail};
  if (finished->signal != 0) return {"failed", fmt::format("{}: ended by signal {}{}", name, finished->signal, tail)};
  return {finished->exit_code == 0 ? "ok" : "failed",
          fmt::format("{}: exit code {}{}", name, finished->exit_code, tail)};
}

class CommandAction final : public Action {
 public:
  explicit CommandAction(Settings settings) : settings_(std::move(settings)) {}

  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    auto argv = fill_in(settings_.argv, trigger);
    if (!argv)
      return context.scheduler.after({}, [done = std::move(done), text = argv.error().text] {
        done({"refused", text});
      });
    // It may have been changed since the configuration was loaded.
    if (std::string complaint = path_complaint(argv->front()); !complaint.empty())
      return context.scheduler.after({}, [done = std::move(done), complaint] { done({"refused", complaint}); });
    loop::Command command;
    command.argv = std::move(*argv);
    command.environment = environment(trigger);
    command.input = trigger.event_json;
    const auto left = std::chrono::duration_cast<base::Millis>(deadline - context.scheduler.now());
    command.leftovers = loop::Leftovers::kept;  // a restart script leaves its daemon behind
    command.limit = std::min(settings_.limit, std::max(left, base::Millis{1}));
    return context.spawner.spawn(std::move(command), [name = text(), done = std::move(done)](
                                                         base::Result<loop::Finished> r) { done(result_of(name, r)); });
  }
  std::string text() const override { return "command " + settings_.argv.front(); }

 private:
  std::map<std::string, std::string> environment(const Trigger& trigger) const {
    std::map<std::string, std::string> out{{"PATH", kPath}, {"LANG", "C.UTF-8"}};
    for (const std::string& name : settings_.pass_environment)
      if (const char* value = std::getenv(name.c_str())) out[name] = value;
    for (const auto& [name, value] : settings_.environment) out[name] = value;
    out["FETTLE_SERVICE"] = trigger.service;
    out["FETTLE_UNIT"] = trigger.unit;
    out["FETTLE_NODE"] = trigger.node;
    out["FETTLE_ACTION_ID"] = trigger.recovery_id;
    out["FETTLE_ATTEMPT"] = fmt::format("{}", trigger.attempt);
    return out;
  }

  Settings settings_;
};

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
  if (std::string complaint = path_complaint(settings.argv.front()); !complaint.empty())
    errors.add(at, path + ".argv[0]", complaint);
  for (std::size_t i = 0; i < settings.argv.size(); ++i) {
    const std::string& argument = settings.argv[i];
    std::size_t from = 0;
    for (auto [open, size] = next_placeholder(argument, 0); open != std::string::npos;
         std::tie(open, size) = next_placeholder(argument, from)) {
      const std::string word = argument.substr(open, size);
      from = open + size;
      if (std::find(kPlaceholders.begin(), kPlaceholders.end(), word) == kPlaceholders.end())
        errors.add(at, fmt::format("{}.argv[{}]", path, i),
                   fmt::format("unknown placeholder {}; there are {{service}}, {{node}} and {{action_id}}", word));
    }
  }
  if (errors.size() > before) return nullptr;
  return std::make_unique<CommandAction>(std::move(settings));
}

}  // namespace

extern const ActionType command_type;
const ActionType command_type{"command", "Runs a program, without a shell.",
                              "{command: {argv: [/bin/true, \"{service}\"], limit: 30s}}", parse};

}  // namespace recover
