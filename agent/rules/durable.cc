#include "rules/durable.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace rules {
namespace {

using nlohmann::json;

json to_json(const model::Labels& labels) {
  json out = json::object();
  for (const model::Label label : labels) out[std::string(label.name)] = std::string(label.value);
  return out;
}

model::Labels labels_from(const json& object) {
  std::vector<model::Label> labels;
  for (const auto& [name, value] : object.items())
    if (const auto* text = value.get_ptr<const std::string*>()) labels.push_back({name, *text});
  return model::Labels(std::move(labels));
}

std::optional<base::WallTime> instant(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  return base::wall_from_ms(found->get<std::int64_t>());
}

}  // namespace

std::string record_prefix(const CompiledGroup& group, std::size_t position) {
  const CompiledRule& rule = group.rules[position];
  std::size_t twins = 0;
  for (std::size_t i = 0; i < position; ++i)
    twins += group.rules[i].alerting() && group.rules[i].name() == rule.name() && group.rules[i].fixed == rule.fixed;
  return fmt::format("{}\n{}\n{}\n{}\n", group.source.file, group.source.name, rule.name(), twins);
}

std::string record_key(std::string_view prefix, const model::Labels& alert) {
  return std::string(prefix) + alert.to_string();
}

std::string to_record(const model::Alert& alert) {
  json out = {{"labels", to_json(alert.labels)},
              {"annotations", to_json(alert.annotations)},
              {"state", model::to_string(alert.state)},
              {"value", fmt::format("{}", alert.value)},
              {"active_at", base::to_ms(alert.active_at)}};
  const auto put = [&](const char* key, const std::optional<base::WallTime>& t) {
    if (t) out[key] = base::to_ms(*t);
  };
  put("fired_at", alert.fired_at);
  put("resolved_at", alert.resolved_at);
  put("keep_firing_since", alert.keep_firing_since);
  // Label values may be any bytes; what is not UTF-8 is replaced rather than lost with the whole record.
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<model::Alert> from_record(std::string_view text) {
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object() || !in.contains("labels") || !in["labels"].is_object()) return std::nullopt;
  model::Alert alert;
  alert.labels = labels_from(in["labels"]);
  if (in.contains("annotations") && in["annotations"].is_object()) alert.annotations = labels_from(in["annotations"]);
  const auto active = instant(in, "active_at");
  if (!active) return std::nullopt;
  alert.active_at = *active;
  alert.fired_at = instant(in, "fired_at");
  alert.resolved_at = instant(in, "resolved_at");
  alert.keep_firing_since = instant(in, "keep_firing_since");
  const auto* state = in.contains("state") ? in["state"].get_ptr<const std::string*>() : nullptr;
  if (!state) return std::nullopt;
  for (const auto known : {model::AlertState::inactive, model::AlertState::pending, model::AlertState::firing})
    if (*state == model::to_string(known)) alert.state = known;
  if (const auto value = in.find("value"); value != in.end() && value->is_string())
    alert.value = std::strtod(value->get_ref<const std::string&>().c_str(), nullptr);
  return alert;
}

}  // namespace rules
