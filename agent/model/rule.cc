#include "model/rule.h"

#include <array>
#include <utility>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kTypes{
    std::pair{RuleType::alerting, "alerting"},
    std::pair{RuleType::recording, "recording"},
};

constexpr std::array kHealths{
    std::pair{RuleHealth::unknown, "unknown"},
    std::pair{RuleHealth::ok, "ok"},
    std::pair{RuleHealth::err, "err"},
};

}  // namespace

std::string_view to_string(RuleType type) { return base::name_in(kTypes, type); }
std::string_view to_string(RuleHealth health) { return base::name_in(kHealths, health); }
std::optional<RuleHealth> parse_rule_health(std::string_view word) { return base::value_in(kHealths, word); }

}  // namespace model
