#include "recover/registry.h"

namespace recover {

#define ACTION_TYPE(name) extern const ActionType name##_type;
#include "recover/types.def"
#undef ACTION_TYPE

std::span<const ActionType* const> action_types() {
  static constexpr const ActionType* all[] = {
#define ACTION_TYPE(name) &name##_type,
#include "recover/types.def"
#undef ACTION_TYPE
  };
  return all;
}

const ActionType* find_action_type(std::string_view name) {
  for (const ActionType* type : action_types())
    if (type->name == name) return type;
  return nullptr;
}

}  // namespace recover
