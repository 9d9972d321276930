#include "model/alert.h"

#include <array>
#include <utility>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kNames{
    std::pair{AlertState::inactive, "inactive"},
    std::pair{AlertState::pending, "pending"},
    std::pair{AlertState::firing, "firing"},
};

}  // namespace

std::string_view to_string(AlertState state) { return base::name_in(kNames, state); }
std::optional<AlertState> parse_alert_state(std::string_view word) { return base::value_in(kNames, word); }

}  // namespace model
