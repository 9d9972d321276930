#include "recover/plan/run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/json.h"

namespace recover {
namespace {

using nlohmann::json;

json out(const model::RecoveryReport& report) {
  json actions = json::array();
  for (const model::ActionReport& a : report.actions)
    actions.push_back({{"action", a.action},
                       {"result", a.result},
                       {"text", a.text},
                       {"started_ms", base::to_ms(a.started)},
                       {"took_us", std::chrono::duration_cast<std::chrono::microseconds>(a.took).count()}});
  json result{
      {"id", report.id},           {"service", report.service},     {"trigger", report.trigger},
      {"mode", report.mode},       {"state", report.state},         {"reason", report.reason},
      {"attempt", report.attempt}, {"actions", std::move(actions)}, {"started_ms", base::to_ms(report.started)}};
  if (report.ended) result["ended_ms"] = base::to_ms(*report.ended);
  return result;
}

model::RecoveryReport report_in(const json& in) {
  model::RecoveryReport report;
  report.id = in.at("id");
  report.service = in.at("service");
  report.trigger = in.at("trigger");
  report.mode = in.at("mode");
  report.state = in.at("state");
  report.reason = in.at("reason");
  report.attempt = in.at("attempt");
  for (const json& a : in.at("actions"))
    report.actions.push_back({a.at("action"), a.at("result"), a.at("text"),
                              base::wall_from_ms(a.at("started_ms").get<std::int64_t>()),
                              std::chrono::microseconds(a.at("took_us").get<std::int64_t>())});
  report.started = base::wall_from_ms(in.at("started_ms").get<std::int64_t>());
  report.ended = model::read_time(in, "ended_ms");
  return report;
}

template <typename T, typename F>
base::Result<T> read(const std::string& text, std::string_view what, F from) {
  try {
    return from(json::parse(text));
  } catch (const json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("{} cannot be read: {}", what, e.what()));
  }
}

// Text of programs may hold bytes that are no UTF-8; a record is written all the same.
std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string to_json(const Run& run) {
  json out_run{{"report", out(run.report)},
               {"alert", model::alert_record(run.alert)},
               {"part", run.part == Part::steps ? "steps" : "finally"},
               {"step", run.step},
               {"step_done", run.step_done},
               {"was_down", run.was_down},
               {"by_operator", run.by_operator},
               {"mild", run.mild},
               {"unverified", run.unverified},
               {"stop", run.stop},
               {"outcome", run.outcome}};
  if (run.fence != 0) out_run["fence"] = run.fence;
  return dump(out_run);
}

base::Result<Run> parse_run(const std::string& text) {
  return read<Run>(text, "an intent", [](const json& in) {
    Run run;
    run.report = report_in(in.at("report"));
    run.alert = model::read_alert_record(in.at("alert"));
    run.part = in.at("part") == "finally" ? Part::finally : Part::steps;
    run.step = in.at("step");
    run.step_done = in.at("step_done");
    run.was_down = in.at("was_down");
    run.by_operator = in.value("by_operator", false);  // records of older versions do not have it
    run.mild = in.value("mild", false);
    run.unverified = in.at("unverified");
    run.fence = in.value("fence", std::uint64_t{0});
    run.stop = in.value("stop", "");
    run.outcome = in.at("outcome");
    return run;
  });
}

std::string to_json(const model::RecoveryReport& report) { return dump(out(report)); }
base::Result<model::RecoveryReport> parse_report(const std::string& text) {
  return read<model::RecoveryReport>(text, "a recovery report", report_in);
}

}  // namespace recover
