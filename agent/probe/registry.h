// All probe types, from types.def.
#pragma once

#include <span>
#include <string_view>

#include "probe/probe.h"

namespace probe {

// The declarations give the constants external linkage: a type's file includes this header.
#define PROBE_TYPE(name) extern const Type name##_type;
#include "probe/types.def"
#undef PROBE_TYPE

std::span<const Type* const> types();
const Type* find_type(std::string_view name);  // null if there is none

}  // namespace probe
