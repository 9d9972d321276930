#include "probe/registry.h"

namespace probe {

std::span<const Type* const> types() {
  static constexpr const Type* all[] = {
#define PROBE_TYPE(name) &name##_type,
#include "probe/types.def"
#undef PROBE_TYPE
  };
  return all;
}

const Type* find_type(std::string_view name) {
  for (const Type* type : types())
    if (type->name == name) return type;
  return nullptr;
}

}  // namespace probe
