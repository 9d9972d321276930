#include "recover/registry.h"

namespace recover {

#define ACTION_TYPE(name) extern const ActionType name##_type;
#include "recover/types.def"
#undef ACTION_TYPE

ActionTypes action_types() {
  static constexpr const ActionType* all[] = {
#define ACTION_TYPE(name) &name##_type,
#include "recover/types.def"
#undef ACTION_TYPE
  };
  return ActionTypes(all);
}

}  // namespace recover
