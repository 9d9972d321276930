// What shells offer, and what the command line says of a slip.
#include "cli/complete.h"

#include <doctest/doctest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "cli/admin.h"
#include "cli/reading.h"
#include "cli/rollout.h"
#include "cli/silence.h"
#include "cli/usage.h"

namespace {

using Words = std::vector<std::string>;

struct Program {
  CLI::App top{"health", "fettle"};
  cli::Chosen chosen;
  Program() {
    top.require_subcommand(1);
    cli::add_reading_commands(top, chosen);
    cli::add_admin_commands(top, chosen);
    cli::add_rollout_command(top, chosen);
    cli::add_silence_commands(top, chosen);
    top.add_subcommand("complete", "not for people")->group("");
    cli::add_examples(top);
  }
};

Words offered(const Words& words) {
  Program program;
  return cli::completions(program.top, words, [](cli::Names names) -> Words {
    switch (names) {
      case cli::Names::groups: return {"order", "shop"};
      case cli::Names::services: return {"order", "payment"};
      case cli::Names::silences: return {"5-6"};
      case cli::Names::incidents: return {"inc-1"};
      case cli::Names::alerts: return {"ServiceDown"};
      case cli::Names::probes:
      case cli::Names::probe_types: break;
    }
    return {};
  });
}

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

TEST_CASE("completions come from the commands, and from what the agent knows") {
  CHECK(offered({"stat"}) == Words{"status"});
  CHECK(has(offered({""}), "silence"));
  CHECK_FALSE(has(offered({""}), "complete"));
  CHECK(offered({"status", "o"}) == Words{"order"});
  CHECK(offered({"status", "order", "p"}) == Words{"payment"});
  CHECK(offered({"explain", "order", ""}).empty());
  CHECK(offered({"maintenance", "o"}) == Words{"on", "off"});
  CHECK(offered({"maintenance", "on", "p"}) == Words{"payment"});
  CHECK(offered({"recover", "--dry-run", "o"}) == Words{"order"});
  CHECK(has(offered({"recover", ""}), "abort"));
  CHECK(offered({"silence", "expire", ""}) == Words{"5-6"});
  CHECK(offered({"incident", ""}) == Words{"inc-1"});
  CHECK(offered({"rules", "debug", ""}) == Words{"ServiceDown"});
  CHECK(offered({"silence", "add", "service=o"}) == Words{"service=order"});
}

TEST_CASE("completions know options, their words, and where a file is wanted") {
  CHECK(offered({"status", "--out"}) == Words{"--output"});
  CHECK(offered({"status", "-o", ""}) == Words{"table", "json"});
  CHECK(offered({"status", "--output=j"}) == Words{"--output=json"});
  CHECK(offered({"status", "--http.config.file", ""}) == Words{":files"});
  CHECK(offered({"query", "--openmetrics="}) == Words{":files"});
  CHECK(offered({"rules", "replay", ""}) == Words{":files"});
  CHECK(offered({"status", "--url", "x"}).empty());
  CHECK(offered({}).empty());
}

TEST_CASE("a command that does not exist is answered with the nearest one") {
  Program program;
  CHECK(cli::unknown_command(program.top, {"stauts"}) ==
        "there is no command 'fettle stauts'; did you mean 'fettle status'? fettle help lists all");
  CHECK(cli::unknown_command(program.top, {"silence", "lst"}) ==
        "there is no command 'fettle silence lst'; did you mean 'fettle silence list'? fettle help silence lists all");
  CHECK(cli::unknown_command(program.top, {"frobnicate"}) ==
        "there is no command 'fettle frobnicate'; fettle help lists all");
  for (const Words& good : {Words{"status", "odrer"}, Words{"--help"}, Words{"silence", "list"}, Words{}})
    CHECK(cli::unknown_command(program.top, good).empty());
}

TEST_CASE("a line that is refused says of which command, what was meant, and where the help is") {
  const struct {
    std::string line, want;
  } rows[] = {
      {"", "fettle: a command is missing\nfettle help says how\n"},
      {"explain", "fettle explain: SERVICE is required\nfettle help explain says how\n"},
      {"explain order payment",
       "fettle explain: The following argument was not expected: payment\nfettle help explain says how\n"},
      {"status --outputt=json",
       "fettle status: The following argument was not expected: --outputt=json; did you mean --output?\n"
       "fettle help status says how\n"},
      {"status -o xml", "fettle status: --output: xml not in {table,json}\nfettle help status says how\n"},
      {"silence", "fettle silence: say what: add, list, expire\nfettle help silence says how\n"},
      {"silence expire", "fettle silence expire: ID is required\nfettle help silence expire says how\n"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.line);
    Program program;
    try {
      program.top.parse(row.line);
      FAIL("it was taken");
    } catch (const CLI::ParseError& error) {
      CHECK(cli::wrong_line(program.top, error) == row.want);
    }
  }
}

TEST_CASE("help has the whole command in its first lines, and examples in its last") {
  Program program;
  const std::string help = cli::help_of(program.top, {"silence", "expire"});
  CHECK(help.find("Usage: fettle silence expire [OPTIONS] ID...") != std::string::npos);
  CHECK(help.find("Examples:\n  fettle silence expire $(fettle silence list -q)\n") != std::string::npos);
  CHECK(cli::help_of(program.top, {}).find("Usage: fettle [OPTIONS] SUBCOMMAND") != std::string::npos);
  CHECK(cli::help_of(program.top, {"status", "list"}).empty());
}
