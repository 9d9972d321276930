#include "model/health.h"

#include <array>
#include <utility>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kNames{
    std::pair{Health::unknown, "unknown"},
    std::pair{Health::up, "up"},
    std::pair{Health::down, "down"},
};

}  // namespace

std::string_view to_string(Health health) { return base::name_in(kNames, health); }
std::optional<Health> parse_health(std::string_view word) { return base::value_in(kNames, word); }

}  // namespace model
