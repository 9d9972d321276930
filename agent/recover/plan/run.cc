#include "recover/plan/run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/json.h"

namespace recover {
namespace {

using nlohmann::json;

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
  json out_run{{"report", model::report_record(run.report)},
               {"alert", model::alert_record(run.alert)},
               {"part", run.part == Part::steps ? "steps" : "finally"},
               {"step", run.step},
               {"step_done", run.step_done},
               {"was_down", run.was_down},
               {"by_operator", run.by_operator},
               {"mild", run.non_disruptive},
               {"unverified", run.unverified},
               {"stop", run.stop},
               {"outcome", to_string(run.outcome)}};
  if (run.fence != 0) out_run["fence"] = run.fence;
  if (run.only) out_run["only"] = *run.only;
  return dump(out_run);
}

base::Result<Run> parse_run(const std::string& text) {
  return read<Run>(text, "an intent", [](const json& in) {
    Run run;
    run.report = model::read_report_record(in.at("report"));
    run.alert = model::read_alert_record(in.at("alert"));
    run.part = in.at("part") == "finally" ? Part::finally : Part::steps;
    run.step = in.at("step");
    run.step_done = in.at("step_done");
    run.was_down = in.at("was_down");
    run.by_operator = in.value("by_operator", false);  // records of older versions do not have it
    run.non_disruptive = in.value("mild", false);
    run.unverified = in.at("unverified");
    if (in.contains("only")) run.only = in.at("only").get<std::size_t>();
    run.fence = in.value("fence", std::uint64_t{0});
    run.stop = in.value("stop", "");
    run.outcome = model::read_word(in, "outcome", model::parse_recovery_state);
    return run;
  });
}

std::string to_json(const model::RecoveryReport& report) { return dump(model::report_record(report)); }
base::Result<model::RecoveryReport> parse_report(const std::string& text) {
  return read<model::RecoveryReport>(text, "a recovery report", model::read_report_record);
}

}  // namespace recover
