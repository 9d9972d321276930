// All notifier types, from types.def.
#pragma once

#include "base/registry.h"
#include "notify/notifier.h"

namespace notify {

using NotifierTypes = base::Registry<NotifierType, &NotifierType::name>;
NotifierTypes notifier_types();

}  // namespace notify
