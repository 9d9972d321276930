// What a rule is and how its last evaluation went, in the words of Prometheus' API.
#pragma once

#include <optional>
#include <string_view>

namespace model {

enum class RuleType { alerting, recording };
enum class RuleHealth { unknown, ok, err };  // unknown: not evaluated yet

std::string_view to_string(RuleType type);
std::string_view to_string(RuleHealth health);
std::optional<RuleHealth> parse_rule_health(std::string_view word);

}  // namespace model
