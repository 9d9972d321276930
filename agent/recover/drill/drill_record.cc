#include "recover/drill/drill_record.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/enum_names.h"
#include "encoding/json_value.h"

namespace recover {
namespace {

using nlohmann::json;

constexpr std::array kResults{std::pair{DrillResult::none, std::string_view("")},
                              std::pair{DrillResult::verified, std::string_view("verified")},
                              std::pair{DrillResult::no_backup, std::string_view("no_backup")},
                              std::pair{DrillResult::unreadable, std::string_view("unreadable")},
                              std::pair{DrillResult::restore_failed, std::string_view("restore_failed")},
                              std::pair{DrillResult::empty, std::string_view("empty")},
                              std::pair{DrillResult::not_verified, std::string_view("not_verified")},
                              std::pair{DrillResult::scratch, std::string_view("scratch")},
                              std::pair{DrillResult::scratch_full, std::string_view("scratch_full")},
                              std::pair{DrillResult::timeout, std::string_view("timeout")},
                              std::pair{DrillResult::interrupted, std::string_view("interrupted")}};

json json_of(const DrillReport& report) {
  json out{{"result", to_string(report.result)},
           {"text", report.text},
           {"backup", report.backup},
           {"started_ms", base::to_ms(report.started)},
           {"ended_ms", base::to_ms(report.ended)},
           {"restore_ms", report.restore.count()},
           {"files", report.files},
           {"bytes", report.bytes}};
  if (report.data_age) out["data_age_ms"] = report.data_age->count();
  return out;
}

std::int64_t number_in(const json& object, const char* name) {
  return static_cast<std::int64_t>(encoding::number_of(encoding::member(object, name)).value_or(0));
}

DrillReport report_of(const json& object) {
  DrillReport out;
  out.result =
      base::value_in(kResults, encoding::text_of(encoding::member(object, "result"))).value_or(DrillResult::none);
  out.text = encoding::text_of(encoding::member(object, "text"));
  out.backup = encoding::text_of(encoding::member(object, "backup"));
  out.started = base::wall_from_ms(number_in(object, "started_ms"));
  out.ended = base::wall_from_ms(number_in(object, "ended_ms"));
  out.restore = base::Millis{number_in(object, "restore_ms")};
  out.files = static_cast<std::uint64_t>(number_in(object, "files"));
  out.bytes = static_cast<std::uint64_t>(number_in(object, "bytes"));
  if (object.contains("data_age_ms")) out.data_age = base::Millis{number_in(object, "data_age_ms")};
  return out;
}

}  // namespace

std::string_view to_string(DrillResult result) { return base::name_in(kResults, result); }

std::string to_json(const DrillRecord& record) {
  json out{
      {"known_since_ms", base::to_ms(record.known_since)}, {"running", record.running}, {"last", json_of(record.last)}};
  if (record.proven) out["proven"] = json_of(*record.proven);
  if (record.succeeded) out["succeeded"] = *record.succeeded;
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

base::Result<DrillRecord> parse_drill_record(std::string_view text) {
  const json object = encoding::read_json(text);
  if (!object.is_object()) return base::fail(base::Kind::invalid, "the record of a drill is no JSON object");
  DrillRecord out;
  out.known_since = base::wall_from_ms(number_in(object, "known_since_ms"));
  const auto yes = [&](const char* name) {
    const json& value = encoding::member(object, name);
    return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
  };
  out.running = yes("running").value_or(false);
  out.succeeded = yes("succeeded");
  out.last = report_of(encoding::member(object, "last"));
  if (const json& proven = encoding::member(object, "proven"); proven.is_object()) out.proven = report_of(proven);
  return out;
}

}  // namespace recover
