#include "cli/reading.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli/audit_log.h"
#include "cli/drills.h"
#include "cli/incidents.h"
#include "cli/output.h"
#include "cli/query.h"
#include "cli/replay.h"
#include "cli/rule_debug.h"
#include "cli/standbys.h"
#include "cli/status.h"
#include "cli/top.h"
#include "cli/trust.h"
#include "cli/watch.h"

namespace cli {
namespace {

void add_agent(CLI::App* command, AgentAddress& agent) {
  command->add_option("--url", agent.url, "Agent to ask; default: the admin socket, or http://127.0.0.1:10911");
  command->add_option("--http.config.file", agent.http_config_file,
                      "How to ask it: basic_auth, tls_config and the other keys of Prometheus' http_config");
  command->add_option("--admin.socket", agent.socket, "Admin socket of the agent")->capture_default_str();
}

const std::vector<std::string> kTableOrJson{"table", "json"};

void add_compat(CLI::App* command, int& compat, const char* help) {
  command->add_option("--promql.compat", compat, help)->check(CLI::IsMember({2, 3}))->capture_default_str();
}

void add_query(CLI::App& top, Chosen& chosen) {
  struct Line {
    QueryOptions options{{}, "", "", "", "", "", "", 3, Output::table};
    std::string output = "table";
  };
  const auto line = std::make_shared<Line>();
  QueryOptions& options = line->options;
  CLI::App* query = top.add_subcommand("query", "Evaluate a PromQL expression");
  query->add_option("EXPR", options.expr, "Expression")->required();
  add_agent(query, options.agent);
  query->add_option("--openmetrics", options.openmetrics, "Evaluate over the samples of this file instead")
      ->excludes(query->get_option("--url"));
  query->add_option("--time", options.time, "Evaluation time: RFC 3339, seconds since the epoch, or -5m before now");
  CLI::Option* start = query->add_option("--start", options.start, "Start of a range query, as --time: -1h");
  query->add_option("--end", options.end, "End of a range query; default: now")->needs(start);
  query->add_option("--step", options.step, "Step of a range query; default: 1m")->needs(start);
  add_compat(query, options.compat, "2 or 3, with --openmetrics");
  add_output(query, line->output, kTableOrJson);
  query->callback([&chosen, line] {
    line->options.output = line->output == "json" ? Output::json : Output::table;
    chosen = [line] { return run_query(line->options); };
  });
}

void add_replay(CLI::App* rules, Chosen& chosen) {
  struct Line {
    ReplayRequest request;
    std::string output = "table";
    int compat = 3;
  };
  const auto line = std::make_shared<Line>();
  ReplayRequest& request = line->request;
  CLI::App* replay = rules->add_subcommand("replay", "Which alerts would have fired when, over the samples of a file");
  replay->add_option("RULES", request.rule_files, "Rule files")->required();
  replay->add_option("--openmetrics", request.openmetrics, "OpenMetrics file of samples with their times")->required();
  replay->add_option("--start", request.start,
                     "First evaluation: RFC 3339, seconds since the epoch, or -1h before the newest sample; default: "
                     "the oldest sample");
  replay->add_option("--end", request.end, "Last evaluation; the newest sample if not given");
  replay->add_option("--step", request.step, "Evaluation interval of groups without their own")->capture_default_str();
  add_compat(replay, line->compat, "2 or 3: whose PromQL");
  add_output(replay, line->output, {"table", "openmetrics", "json"});
  replay->callback([&chosen, line] {
    line->request.compat = line->compat == 2 ? promql::Compat::v2 : promql::Compat::v3;
    line->request.output = line->output == "json"          ? ReplayOutput::json
                           : line->output == "openmetrics" ? ReplayOutput::openmetrics
                                                           : ReplayOutput::table;
    chosen = [line] { return run_replay(line->request); };
  });
}

void add_rules(CLI::App& top, Chosen& chosen) {
  struct Line {
    AgentAddress agent;
    std::string alert, output = "text";
  };
  const auto line = std::make_shared<Line>();
  CLI::App* rules = top.add_subcommand("rules", "Try rules on the past, or ask why an alert is in its state");
  rules->require_subcommand(1);
  add_replay(rules, chosen);
  CLI::App* debug = rules->add_subcommand("debug", "Why an alert of the running agent is in its state");
  debug->add_option("ALERT", line->alert, "Name of the alert")->required();
  add_agent(debug, line->agent);
  add_output(debug, line->output);
  debug->callback(
      [&chosen, line] { chosen = [line] { return run_rule_debug(line->agent, line->alert, form_of(line->output)); }; });
}

// What the commands below have in common; a line has one of them.
struct Reader {
  StatusOptions options;
  std::string output = "table", watch, name;
  std::vector<std::string> services;
  std::size_t lines = 0;
  bool evidence = false;
};
using Run = int (*)(const Reader& reader);

class Readers {
 public:
  Readers(CLI::App& top, Chosen& chosen) : top_(top), chosen_(chosen) {}

  CLI::App* add(const char* name, const char* help, Run run) {
    CLI::App* command = top_.add_subcommand(name, help);
    add_agent(command, reader_->options.agent);
    add_output(command, reader_->output, kTableOrJson);
    command->add_flag("--watch{2s}", reader_->watch, "Show it again every 2s, or as often as --watch=10s says");
    command->callback([&chosen = chosen_, reader = reader_, run] { choose(chosen, reader, run); });
    return command;
  }
  Reader& line() { return *reader_; }

 private:
  static void choose(Chosen& chosen, const std::shared_ptr<Reader>& reader, Run run) {
    reader->options.json = reader->output == "json";
    const auto show = [reader, run] { return run(*reader); };
    chosen = show;
    if (reader->watch.empty()) return;
    const auto every = parse_watch(reader->watch);
    if (!every) throw CLI::ValidationError(every.error().text);
    chosen = [show, length = *every] {
      return watch(show, [length] {
        std::this_thread::sleep_for(length);
        return true;
      });
    };
  }

  CLI::App& top_;
  Chosen& chosen_;
  const std::shared_ptr<Reader> reader_ = std::make_shared<Reader>();
};

void add_readers(CLI::App& top, Chosen& chosen) {
  Readers readers(top, chosen);
  Reader& line = readers.line();
  readers.add("fleet",
              "Who of the fleet is up, who acts and who waits; exit code 1 if one is down or a rollout has stopped",
              [](const Reader& reader) { return run_fleet(reader.options); });
  readers
      .add("status", "Services and probes of the running agent; exit code 1 if one is down",
           [](const Reader& reader) { return run_status(reader.options, reader.services); })
      ->add_option("SERVICE", line.services, "Only these");
  readers.add("alerts", "Pending and firing alerts of the running agent; exit code 1 if one fires",
              [](const Reader& reader) { return run_alerts(reader.options); });
  readers
      .add("explain", "Why a service is in its state, and what would happen next",
           [](const Reader& reader) { return run_explain(reader.options, reader.name); })
      ->add_option("SERVICE", line.name, "Service")
      ->required();
  readers
      .add("trust", "Whether the recovery of a service may act by itself, and why; exit code 1 unless it may",
           [](const Reader& reader) { return run_trust(reader.options, reader.name); })
      ->add_option("SERVICE", line.name, "Service")
      ->required();
  readers
      .add("incidents", "What went wrong here; exit code 1 if an incident is open",
           [](const Reader& reader) { return run_incidents(reader.options, reader.name); })
      ->add_option("SERVICE", line.name, "Only those of this service; the id of an incident: that one");
  CLI::App* incident = readers.add(
      "incident", "One incident: why, what was tried, who was told, how it ended", [](const Reader& reader) {
        return reader.evidence ? run_evidence(reader.options, reader.name) : run_incident(reader.options, reader.name);
      });
  incident->add_option("ID", line.name, "Its id, or the beginning of it")->required();
  incident->add_flag("--evidence", line.evidence, "What was gathered of its faults before anything was done");
  readers
      .add("recoveries", "Runs of recovery plans, the newest first, with what they did",
           [](const Reader& reader) { return run_recoveries(reader.options, reader.name); })
      ->add_option("SERVICE", line.name, "Only those of this service");
  readers
      .add("drills",
           "Drills of restores and faults, and what came of them; exit code 1 if the last run of one was no success",
           [](const Reader& reader) { return run_drills(reader.options, reader.name); })
      ->add_option("SERVICE", line.name, "Only those of this service");
  readers
      .add("standbys", "Hot standbys: who is the primary, and why no other one is; exit code 1 if one is refused",
           [](const Reader& reader) { return run_standbys(reader.options, reader.name); })
      ->add_option("SERVICE", line.name, "Only that of this service");
  readers.add("dr",
              "What a disaster would cost each service, as drills have measured it, beside its objectives; exit code 1 "
              "if one is missed or no restore is proven",
              [](const Reader& reader) { return run_dr(reader.options); });
  CLI::App* log = readers.add(
      "audit-log", "What people changed, recoveries did and receivers were sent; exit code 1 if entries were altered",
      [](const Reader& reader) { return run_audit_log(reader.options, reader.name, reader.lines); });
  log->add_option("SERVICE", line.name, "Only what is about this service; the chain is not checked then");
  log->add_option("-n,--lines", line.lines, "Only so many, the newest; 0 for all")->capture_default_str();
}

void add_top(CLI::App& top, Chosen& chosen) {
  struct Line {
    AgentAddress agent;
    bool once = false;
  };
  const auto line = std::make_shared<Line>();
  CLI::App* command = top.add_subcommand("top", "Services and alerts on the whole terminal, again every second");
  add_agent(command, line->agent);
  command->add_flag("--once", line->once, "Print it once; exit code 1 if a service is down");
  command->callback([&chosen, line] { chosen = [line] { return run_top(line->agent, line->once); }; });
}

}  // namespace

void add_reading_commands(CLI::App& top, Chosen& chosen) {
  add_query(top, chosen);
  add_rules(top, chosen);
  add_readers(top, chosen);
  add_top(top, chosen);
}

}  // namespace cli
