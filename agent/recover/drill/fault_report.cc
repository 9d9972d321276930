#include "recover/drill/fault_report.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/enum_names.h"
#include "encoding/json_value.h"

namespace recover {
namespace {

using nlohmann::json;

constexpr std::array kFaults{
    std::pair{Fault::hang, std::string_view("hang")}, std::pair{Fault::kill, std::string_view("kill")},
    std::pair{Fault::refuse, std::string_view("refuse")}, std::pair{Fault::slow, std::string_view("slow")}};

constexpr std::array kResults{std::pair{FaultResult::none, std::string_view("")},
                              std::pair{FaultResult::interrupted, std::string_view("interrupted")},
                              std::pair{FaultResult::not_injected, std::string_view("not_injected")},
                              std::pair{FaultResult::not_detected, std::string_view("not_detected")},
                              std::pair{FaultResult::not_recovered, std::string_view("not_recovered")},
                              std::pair{FaultResult::step_failed, std::string_view("step_failed")},
                              std::pair{FaultResult::not_delivered, std::string_view("not_delivered")},
                              std::pair{FaultResult::too_slow, std::string_view("too_slow")},
                              std::pair{FaultResult::passed, std::string_view("passed")}};

constexpr std::array kStages{
    std::pair{Stage::detect, std::string_view("detect")},   std::pair{Stage::locate, std::string_view("locate")},
    std::pair{Stage::drain, std::string_view("drain")},     std::pair{Stage::cure, std::string_view("cure")},
    std::pair{Stage::verify, std::string_view("verify")},   std::pair{Stage::undrain, std::string_view("undrain")},
    std::pair{Stage::deliver, std::string_view("deliver")}, std::pair{Stage::recover, std::string_view("recover")}};

base::WallTime time_in(const json& object, const char* name) {
  return base::wall_from_ms(static_cast<std::int64_t>(encoding::number_of(encoding::member(object, name)).value_or(0)));
}

bool is_true(const json& object, const char* name) {
  const json& value = encoding::member(object, name);
  return value.is_boolean() && value.get<bool>();
}

json json_of(const FaultReport& report) {
  json stages = json::object();
  for (const auto& [stage, took] : report.stages) stages[std::string(to_string(stage))] = took.count();
  return {{"result", to_string(report.result)},
          {"text", report.text},
          {"started_ms", base::to_ms(report.started)},
          {"ended_ms", base::to_ms(report.ended)},
          {"stages_ms", std::move(stages)},
          {"cured_by_drill", report.cured_by_drill}};
}

FaultReport report_of(const json& object) {
  FaultReport out;
  out.result =
      base::value_in(kResults, encoding::text_of(encoding::member(object, "result"))).value_or(FaultResult::none);
  out.text = encoding::text_of(encoding::member(object, "text"));
  out.started = time_in(object, "started_ms");
  out.ended = time_in(object, "ended_ms");
  for (const auto& [stage, word] : kStages)
    if (const auto took = encoding::number_of(encoding::member(encoding::member(object, "stages_ms"), word.data())))
      out.stages[stage] = base::Millis{static_cast<std::int64_t>(*took)};
  out.cured_by_drill = is_true(object, "cured_by_drill");
  return out;
}

std::string dump(const json& object) { return object.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string_view to_string(Fault fault) { return base::name_in(kFaults, fault); }
std::optional<Fault> parse_fault(std::string_view word) { return base::value_in(kFaults, word); }
std::string_view to_string(FaultResult result) { return base::name_in(kResults, result); }
std::string_view to_string(Stage stage) { return base::name_in(kStages, stage); }

const std::vector<std::string>& fault_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> out;
    for (const auto& [fault, word] : kFaults) out.emplace_back(word);
    return out;
  }();
  return words;
}

std::string to_json(const FaultRecord& record) {
  json out{{"known_since_ms", base::to_ms(record.known_since)}, {"last", json_of(record.last)}};
  if (record.last_success) out["last_success_ms"] = base::to_ms(*record.last_success);
  if (record.succeeded) out["succeeded"] = *record.succeeded;
  return dump(out);
}

base::Result<FaultRecord> parse_fault_record(std::string_view text) {
  const json object = encoding::read_json(text);
  if (!object.is_object()) return base::fail(base::Kind::invalid, "the record of a fault drill is no JSON object");
  FaultRecord out;
  out.known_since = time_in(object, "known_since_ms");
  out.last = report_of(encoding::member(object, "last"));
  if (object.contains("last_success_ms")) out.last_success = time_in(object, "last_success_ms");
  if (object.contains("succeeded")) out.succeeded = is_true(object, "succeeded");
  return out;
}

std::string to_json(const OpenFault& open) {
  return dump({{"service", open.service},
               {"unit", open.unit},
               {"fault", to_string(open.fault)},
               {"started_ms", base::to_ms(open.started)}});
}

base::Result<OpenFault> parse_open_fault(std::string_view text) {
  const json object = encoding::read_json(text);
  OpenFault out;
  out.service = encoding::text_of(encoding::member(object, "service"));
  out.unit = encoding::text_of(encoding::member(object, "unit"));
  const auto fault = parse_fault(encoding::text_of(encoding::member(object, "fault")));
  if (out.service.empty() || out.unit.empty() || !fault)
    return base::fail(base::Kind::invalid, "the record of a rehearsed fault says not what it is");
  out.fault = *fault;
  out.started = time_in(object, "started_ms");
  return out;
}

}  // namespace recover
