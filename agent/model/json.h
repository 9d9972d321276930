// Labels, alerts and reports of recoveries as JSON. Who calls these includes <nlohmann/json.hpp>. Pure; from every
// thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "model/labels.h"

namespace model {

// {"name": "value"}, in order of names.
template <typename Json = nlohmann::json>
Json label_object(const Labels& labels) {
  Json out = Json::object();
  for (const Label label : labels) out[std::string(label.name)] = label.value;
  return out;
}

// Throws Json::exception where it is no object of texts.
template <typename Json>
Labels read_labels(const Json& object) {
  std::vector<Label> labels;
  for (const auto& [name, value] : object.items())
    labels.push_back({name, value.template get_ref<const std::string&>()});
  return Labels(std::move(labels));
}

// The milliseconds since 1970 that stand there; nothing where there are none. Throws where it is no number.
template <typename Json>
std::optional<base::WallTime> read_time(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  return base::wall_from_ms(found->template get<std::int64_t>());
}

// The counterpart of read_time(): no member where there is no time.
template <typename Json>
void write_time(Json& object, const char* key, const std::optional<base::WallTime>& time) {
  if (time) object[key] = base::to_ms(*time);
}

// The word of an enum that stands there. Throws where it is none that `parse` knows, as where there is no text.
template <typename Json, typename Enum>
Enum read_word(const Json& object, const char* key, std::optional<Enum> (*parse)(std::string_view)) {
  const auto& text = object.at(key).template get_ref<const std::string&>();
  if (const std::optional<Enum> value = parse(text)) return *value;
  throw Json::other_error::create(501, std::string(key) + " cannot be \"" + text + "\"", &object);
}

// An alert as durable records hold it.
nlohmann::json alert_record(const Alert& alert);
// Throws nlohmann::json::exception where it is none. Takes what earlier versions wrote, too.
Alert read_alert_record(const nlohmann::json& record);

// The report of a recovery, in the same way.
nlohmann::json report_record(const RecoveryReport& report);
RecoveryReport read_report_record(const nlohmann::json& record);

}  // namespace model
