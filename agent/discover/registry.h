// All sources of targets, from types.def.
#pragma once

#include <string>
#include <string_view>

#include "base/registry.h"
#include "discover/source.h"

namespace discover {

// The declarations give the constants external linkage: a type's file includes this header.
#define SOURCE_TYPE(name) extern const Type name##_source;
#include "discover/types.def"
#undef SOURCE_TYPE

using Types = base::Registry<Type, &Type::key>;
Types types();

Entry parse_entry(const Type& type, const config::Node& entry, const std::string& path, const Owner& owner,
                  config::Errors& errors);

}  // namespace discover
