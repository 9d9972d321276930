#include "notify/registry.h"

namespace notify {

#define NOTIFIER_TYPE(name) extern const NotifierType name##_type;
#include "notify/types.def"
#undef NOTIFIER_TYPE

NotifierTypes notifier_types() {
  static constexpr const NotifierType* all[] = {
#define NOTIFIER_TYPE(name) &name##_type,
#include "notify/types.def"
#undef NOTIFIER_TYPE
  };
  return NotifierTypes(all);
}

}  // namespace notify
