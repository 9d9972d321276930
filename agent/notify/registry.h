// All notifier types, from types.def.
#pragma once

#include <span>
#include <string_view>

#include "notify/notifier.h"

namespace notify {

std::span<const NotifierType* const> notifier_types();
const NotifierType* find_notifier_type(std::string_view name);  // null if there is none

}  // namespace notify
