#include "cluster/registry.h"

#include <algorithm>

namespace cluster {

std::span<const StoreType* const> store_types() {
  static constexpr const StoreType* all[] = {
#define STORE_TYPE(name) &name##_store,
#include "cluster/types.def"
#undef STORE_TYPE
  };
  return all;
}

base::Millis try_limit(base::Millis ttl) {
  return std::clamp<base::Millis>(ttl / 6, std::chrono::seconds{1}, std::chrono::seconds{3});
}

}  // namespace cluster
