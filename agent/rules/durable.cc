#include "rules/durable.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/json.h"

namespace rules {

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
  return model::alert_record(alert).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<model::Alert> from_record(std::string_view text) {
  try {
    return model::read_alert_record(nlohmann::json::parse(text));
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace rules
