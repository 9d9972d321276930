#include "probe/registry.h"

#include <algorithm>

namespace probe {

bool Type::can_measure(std::string_view metric) const {
  const auto has = [&](const std::vector<std::string_view>& names) {
    return std::find(names.begin(), names.end(), metric) != names.end();
  };
  return !other_measurements || has(measurements) || has(*other_measurements);
}

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
