#include "cli/rollout.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/edit_distance.h"
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

struct Line {
  std::string group, action, comment;
  std::string batch = "1", deadline = "5m", output = "text", socket = model::kAdminSocket;
  bool resume = false, abort = false, status = false;
};

int fail(const base::Error& error) {
  base::print(stderr, "fettle: {}\n", error.text);
  return exit_code_of(error);
}

std::string path_of(const Line& line) {
  const std::string comment = "comment=" + base::percent_encode(line.comment);
  std::string path = "/api/v1/rollout/" + base::percent_encode(line.group);
  if (line.resume) return path + "/resume?" + comment;
  if (line.abort) return path + "/abort?" + comment;
  return fmt::format("{}?action={}&batch={}&deadline={}&{}", path, base::percent_encode(line.action),
                     base::percent_encode(line.batch), base::percent_encode(line.deadline), comment);
}

int run_change(const Line& line) {
  if (const auto fit = base::parse_comment(line.comment); !fit) {
    fail(fit.error());
    return kUsage;
  }
  const auto told = read_answer(line.socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask_admin(line.socket, "POST", path_of(line)));
    const auto sentence = data_in(answer).get<std::string>();
    return line.output == "json" ? answer : base::foreign_text(sentence, 2'000);
  });
  if (!told) return fail(told.error());
  base::print(stdout, "{}\n", *told);
  return 0;
}

Tone tone_of(const std::string& state) {
  if (state == "failed" || state == "stopped") return Tone::bad;
  if (state == "working" || state == "aborted") return Tone::warn;
  return state == "done" ? Tone::good : Tone::plain;
}

// Foreign: other agents wrote most of it.
std::string shown(const Json& object, const char* key) { return base::foreign_text(text_of(object, key), 500); }

int show(const Line& line, const Json& group) {
  if (!group.contains("rollout")) {
    base::print(stdout, "there was no rollout of {}\n", line.group);
    return 0;
  }
  const Json& rollout = group["rollout"];
  const std::string state = shown(rollout, "state"), why = shown(rollout, "why"), action = shown(rollout, "action");
  Table table({"NODE", "SERVICE", "STATE", "SINCE", "TEXT"});
  std::size_t all = 0, done = 0;
  for (const Json& part : list_of(rollout, "parts")) {
    const std::string of = text_of(part, "state");
    ++all;
    done += of == "done" ? 1 : 0;
    table.add({text_of(part, "node"),
               text_of(part, "service"),
               {of, tone_of(of)},
               of == "waiting" ? "" : text_of(part, "since"),
               text_of(part, "text")});
  }
  base::print(stdout, "rollout {} of {} is {} since {}{}{}\n", shown(rollout, "id"), line.group, state,
              shown(rollout, "since"), why.empty() ? "" : ": ", why);
  base::print(stdout, "{} of {} members are done, {} at a time, {}; begun {} by {}\n", done, all,
              number_of(rollout, "batch"), action.empty() ? "by the first step that restarts them" : action,
              shown(rollout, "started"), shown(rollout, "by"));
  if (state == "stopped" || state == "aborted")
    base::print(stdout, "to go on: fettle rollout {} --resume\n", line.group);
  base::print(stdout, "{}", table.render(colour_of_stdout()));
  return state == "stopped" || state == "aborted" ? kFinding : 0;
}

int run_status(const Line& line) {
  const auto code = read_answer(line.socket, [&]() -> base::Result<int> {
    TRY(const std::string answer, ask_admin(line.socket, "GET", "/api/v1/fleet"));
    const Json data = data_in(answer);
    std::vector<std::string> names;
    for (const Json& group : list_of(data, "groups")) {
      names.push_back(text_of(group, "name"));
      if (names.back() != line.group) continue;
      if (line.output != "json") return show(line, group);
      base::print(stdout, "{}\n", printed(group.contains("rollout") ? group["rollout"] : Json()));
      return 0;
    }
    const std::string near = base::nearest(line.group, names);
    return base::fail(base::Kind::not_found, fmt::format("no service of this agent is in a group '{}'{}", line.group,
                                                         near.empty() ? "" : "; did you mean " + near + "?"));
  });
  return code ? *code : fail(code.error());
}

}  // namespace

void add_rollout_command(CLI::App& top, Chosen& chosen) {
  const auto line = std::make_shared<Line>();
  CLI::App* rollout = top.add_subcommand(
      "rollout", "Restart all members of a group of the fleet, batch by batch: drain, act, verify, undrain");
  rollout->add_option("GROUP", line->group, "Group of the fleet")->required();
  rollout->add_option("--action", line->action,
                      "The step of the members' plans that is done: restart, reload, unit_hook:NAME; default: the "
                      "first one that may heal");
  rollout->add_option("--batch", line->batch, "Members at a time: a number, or a part of them such as 25%")
      ->capture_default_str();
  rollout
      ->add_option(
          "--deadline", line->deadline,
          "A member that has not begun for so long, because it is away or a guard is closed, stops the rollout")
      ->capture_default_str();
  CLI::Option* resume = rollout->add_flag("--resume", line->resume, "Go on with one that is stopped or aborted");
  CLI::Option* abort = rollout->add_flag("--abort", line->abort, "Stop it; what was drained is given back");
  CLI::Option* status = rollout->add_flag("--status", line->status, "Show where it is; exit code 1 if it is stopped");
  resume->excludes(abort)->excludes(status);
  abort->excludes(status);
  for (CLI::Option* verb : {resume, abort, status})
    for (const char* of_begin : {"--action", "--batch", "--deadline"}) verb->excludes(rollout->get_option(of_begin));
  rollout->add_option("--comment", line->comment, "Who and why, for the others");
  add_output(rollout, line->output);
  rollout->add_option("--admin.socket", line->socket, "Admin socket of the agent")->capture_default_str();
  rollout->callback(
      [&chosen, line] { chosen = [line] { return line->status ? run_status(*line) : run_change(*line); }; });
}

}  // namespace cli
