// All stores, from types.def.
#pragma once

#include <span>
#include <string_view>

#include "cluster/store.h"

namespace cluster {

// The declarations give the constants external linkage: a type's file includes this header.
#define STORE_TYPE(name) extern const StoreType name##_store;
#include "cluster/types.def"
#undef STORE_TYPE

std::span<const StoreType* const> store_types();

}  // namespace cluster
