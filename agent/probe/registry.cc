#include "probe/registry.h"

#include <algorithm>

namespace probe {

bool Type::can_measure(std::string_view metric) const {
  const auto has = [&](const std::vector<std::string_view>& names) {
    return std::find(names.begin(), names.end(), metric) != names.end();
  };
  return !other_measurements || has(measurements) || has(*other_measurements);
}

Types types() {
  static constexpr const Type* all[] = {
#define PROBE_TYPE(name) &name##_type,
#include "probe/types.def"
#undef PROBE_TYPE
  };
  return Types(all);
}

}  // namespace probe
