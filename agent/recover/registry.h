// All action types, from types.def.
#pragma once

#include <span>
#include <string_view>

#include "recover/action.h"

namespace recover {

std::span<const ActionType* const> action_types();
const ActionType* find_action_type(std::string_view name);  // null if there is none

}  // namespace recover
