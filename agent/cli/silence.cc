#include "cli/silence.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/percent.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/times.h"
#include "model/agent_defaults.h"
#include "model/matcher_text.h"
#include "model/silence.h"

namespace cli {
namespace {

struct SilenceAddition {
  std::string start, end;  // RFC 3339 or seconds since the epoch; "": now, and `duration` after the start
  std::string duration = "1h";
  std::string until_healthy;  // "10m", or "": its end is a time
  std::string author, comment;
  std::vector<std::string> matchers;
};

enum class SilenceOutput { table, json, ids };

struct SilenceListing {
  bool expired = false;  // those that expired, in place of those that hold or will hold
  SilenceOutput output = SilenceOutput::table;
};

int complain(const base::Error& error) {
  base::print(stderr, "fettle: {}\n", error.text);
  return exit_code_of(error);
}

// Of a line that is wrong.
int refuse(const base::Error& error) {
  complain(error);
  return kUsage;
}

std::string matchers_of(const Json& silence) {
  std::string out;
  for (const Json& matcher : list_of(silence, "matchers")) {
    const bool regex = matcher.value("isRegex", false), equal = matcher.value("isEqual", true);
    out += fmt::format("{}{}{}\"{}\"", out.empty() ? "" : " ", text_of(matcher, "name"),
                       regex ? (equal ? "=~" : "!~") : (equal ? "=" : "!="),
                       model::escape_label_value(text_of(matcher, "value")));
  }
  return out;
}

std::optional<model::SilenceState> state_of(const Json& silence) {
  return model::parse_silence_state(text_of(silence.at("status"), "state"));
}

std::string ends_at(const Json& silence) {
  const std::string healthy = text_of(silence, "untilHealthy");
  return text_of(silence, "endsAt") + (healthy.empty() ? "" : ", or healthy for " + healthy);
}

std::string listed(const Json& data, const SilenceListing& listing) {
  Json shown = Json::array();
  for (const Json& silence : list_of(data, "silences"))
    if ((state_of(silence) == model::SilenceState::expired) == listing.expired) shown.push_back(silence);
  if (listing.output == SilenceOutput::json) return printed(shown) + "\n";
  Table table({"ID", "MATCHERS", "STATE", "STARTS AT", "ENDS AT", "CREATED BY", "COMMENT"});
  std::string ids;
  for (const Json& silence : shown) {
    const auto id = silence.at("id").get<std::string>();
    ids += base::foreign_text(id, std::string::npos) + "\n";
    const bool active = state_of(silence) == model::SilenceState::active;
    table.add({id,
               matchers_of(silence),
               {text_of(silence.at("status"), "state"), active ? Tone::warn : Tone::faint},
               text_of(silence, "startsAt"),
               ends_at(silence),
               text_of(silence, "createdBy"),
               text_of(silence, "comment")});
  }
  if (listing.output == SilenceOutput::ids) return ids;
  if (shown.empty()) return fmt::format("no silence {}\n", listing.expired ? "expired lately" : "is active or pending");
  return table.render(colour_of_stdout());
}

int run_silence_add(const std::string& socket, const SilenceAddition& addition, bool json) {
  if (const auto fit = base::parse_comment(addition.comment); !fit) return refuse(fit.error());
  std::string path = fmt::format("/api/v1/silences?author={}&comment={}", base::percent_encode(addition.author),
                                 base::percent_encode(addition.comment));
  for (const std::string& matcher : addition.matchers) {
    if (const auto parsed = model::parse_matchers(matcher); !parsed) return refuse(parsed.error());
    path += "&matcher=" + base::percent_encode(matcher);
  }
  path += "&duration=" + base::percent_encode(addition.duration);
  if (!addition.until_healthy.empty()) path += "&until_healthy=" + base::percent_encode(addition.until_healthy);
  const std::int64_t now = base::to_ms(std::chrono::floor<base::Millis>(std::chrono::system_clock::now()));
  if (!addition.start.empty()) path += "&start=" + base::percent_encode(api_time(addition.start, now));
  if (!addition.end.empty()) path += "&end=" + base::percent_encode(api_time(addition.end, now));
  const auto id = read_answer(socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask_admin(socket, "POST", path));
    const auto made = data_in(answer).at("silenceID").get<std::string>();
    return json ? answer : made;
  });
  if (!id) return complain(id.error());
  base::print(stdout, "{}\n", *id);
  return 0;
}

int run_silence_list(const std::string& socket, const SilenceListing& listing) {
  const auto text = read_answer(socket, [&]() -> base::Result<std::string> {
    TRY(const std::string answer, ask_admin(socket, "GET", "/api/v1/silences"));
    return listed(data_in(answer), listing);
  });
  if (!text) return complain(text.error());
  base::print(stdout, "{}", *text);
  return 0;
}

int run_silence_expire(const std::string& socket, const std::vector<std::string>& ids, base::OutputForm form) {
  int code = 0;
  Json silences = Json::array();
  for (const std::string& id : ids) {
    const auto expired = read_answer(socket, [&]() -> base::Result<> {
      TRY(const std::string answer, ask_admin(socket, "DELETE", "/api/v1/silence/" + base::percent_encode(id)));
      (void)success_in(answer);
      return {};
    });
    silences.push_back({{"id", id}, {"expired", expired.has_value()}, {"error", expired ? "" : expired.error().text}});
    if (!expired)
      code = std::max(code, form == base::OutputForm::json ? exit_code_of(expired.error()) : complain(expired.error()));
  }
  if (form == base::OutputForm::json)
    base::print(stdout, "{}\n", printed(Json{{"ok", code == 0}, {"silences", std::move(silences)}}));
  return code;
}

}  // namespace

// The words and flags are amtool's.
void add_silence_commands(CLI::App& top, Chosen& chosen) {
  struct Line {
    std::string socket = model::kAdminSocket, output = "table";
    SilenceAddition addition;
    bool expired = false, quiet = false;
    std::vector<std::string> ids;
  };
  const auto line = std::make_shared<Line>();
  CLI::App* silence = top.add_subcommand(
      "silence", "Keep alerts from all receivers for some time; recovery goes on (fettle maintenance stops that)");
  silence->require_subcommand(1);

  SilenceAddition& addition = line->addition;
  CLI::App* add = silence->add_subcommand(
      "add", "Silence the alerts whose labels match; prints the id. It does not stop recovery: see fettle maintenance");
  add->add_option("MATCHER", addition.matchers, "service=order, severity!=page, alertname=~\"Down.*\"; all must match")
      ->required();
  add->add_option("-c,--comment", addition.comment, "Why, for the others")->required();
  if (const char* user = std::getenv("USER")) addition.author = user;
  add->add_option("-a,--author", addition.author, "Who")->capture_default_str();
  CLI::Option* length = add->add_option("-d,--duration", addition.duration, "How long")->capture_default_str();
  add->add_option("--start", addition.start, "When it begins: RFC 3339, seconds since the epoch, or -5m; default: now");
  add->add_option("--end", addition.end, "When it ends, in place of a duration")->excludes(length);
  add->add_option("--until-healthy", addition.until_healthy,
                  "It ends before that when the service of its matchers has been healthy for so long, such as 10m; "
                  "the duration is then 24h without a word");
  add->callback([&chosen, line, length] {
    if (!line->addition.until_healthy.empty() && length->count() == 0) line->addition.duration = "24h";
    chosen = [line] { return run_silence_add(line->socket, line->addition, line->output == "json"); };
  });

  CLI::App* list = silence->add_subcommand("list", "Active silences, and those to come");
  list->add_flag("--expired", line->expired, "Those that expired in the last five days instead");
  list->add_flag("-q,--quiet", line->quiet, "Ids only");
  for (CLI::App* command : {add, list}) add_output(command, line->output, {"table", "json"});
  list->callback([&chosen, line] {
    const SilenceOutput output = line->quiet              ? SilenceOutput::ids
                                 : line->output == "json" ? SilenceOutput::json
                                                          : SilenceOutput::table;
    chosen = [line, output] { return run_silence_list(line->socket, {line->expired, output}); };
  });

  CLI::App* expire = silence->add_subcommand("expire", "End silences now");
  expire->add_option("ID", line->ids, "Silences, as fettle silence list names them")->required();
  add_output(expire, line->output, {"table", "json"});
  expire->callback([&chosen, line] {
    chosen = [line] { return run_silence_expire(line->socket, line->ids, form_of(line->output)); };
  });
  for (CLI::App* command : {add, list, expire})
    command->add_option("--admin.socket", line->socket, "Admin socket of the agent")->capture_default_str();
}

}  // namespace cli
