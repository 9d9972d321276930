#include "recover/traffic/drain_record.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace recover {

std::string DrainRecord::to_json() const {
  nlohmann::json json{{"drained", drained}, {"slow_start_ms", slow_start.count()}, {"by_others", externally_drained}};
  if (!settings.empty()) json["settings"] = settings;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

DrainRecord parse_drain_record(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  DrainRecord record;
  record.drained = true;
  if (!json.is_object()) return record;
  if (const auto v = json.find("drained"); v != json.end() && v->is_boolean()) record.drained = v->get<bool>();
  if (const auto v = json.find("slow_start_ms"); v != json.end() && v->is_number_integer())
    record.slow_start = base::Millis{std::max<std::int64_t>(0, v->get<std::int64_t>())};
  if (const auto v = json.find("by_others"); v != json.end() && v->is_array())
    for (const auto& name : *v)
      if (name.is_string()) record.externally_drained.insert(name.get<std::string>());
  if (const auto v = json.find("settings"); v != json.end() && v->is_string()) record.settings = v->get<std::string>();
  return record;
}

}  // namespace recover
