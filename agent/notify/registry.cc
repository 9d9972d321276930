#include "notify/registry.h"

namespace notify {

#define NOTIFIER_TYPE(name) extern const NotifierType name##_type;
#include "notify/types.def"
#undef NOTIFIER_TYPE

std::span<const NotifierType* const> notifier_types() {
  static constexpr const NotifierType* all[] = {
#define NOTIFIER_TYPE(name) &name##_type,
#include "notify/types.def"
#undef NOTIFIER_TYPE
  };
  return all;
}

const NotifierType* find_notifier_type(std::string_view name) {
  for (const NotifierType* type : notifier_types())
    if (type->name == name) return type;
  return nullptr;
}

}  // namespace notify
