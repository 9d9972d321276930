// All sources of targets, from types.def.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "discover/source.h"

namespace discover {

// The declarations give the constants external linkage: a type's file includes this header.
#define SOURCE_TYPE(name) extern const Type name##_source;
#include "discover/types.def"
#undef SOURCE_TYPE

std::span<const Type* const> types();
const Type* find_type(std::string_view key);  // null if there is none

Entry parse_entry(const Type& type, const config::Node& entry, const std::string& path, const Owner& owner,
                  config::Errors& errors);

}  // namespace discover
