// All probe types, from types.def.
#pragma once

#include <span>
#include <string_view>

#include "probe/probe.h"

namespace probe {

std::span<const Type* const> types();
const Type* find_type(std::string_view name);  // null if there is none

}  // namespace probe
