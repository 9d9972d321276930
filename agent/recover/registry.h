// All action types, from types.def.
#pragma once

#include "base/registry.h"
#include "recover/action.h"

namespace recover {

using ActionTypes = base::Registry<ActionType, &ActionType::name>;
ActionTypes action_types();

}  // namespace recover
