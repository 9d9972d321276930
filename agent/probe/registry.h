// All probe types, from types.def.
#pragma once

#include "base/registry.h"
#include "probe/probe.h"

namespace probe {

// The declarations give the constants external linkage: a type's file includes this header.
#define PROBE_TYPE(name) extern const Type name##_type;
#include "probe/types.def"
#undef PROBE_TYPE

using Types = base::Registry<Type, &Type::name>;
Types types();

}  // namespace probe
