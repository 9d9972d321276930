// Which counters are there with a zero before their first event. increase() does not see the event that a counter is
// born with: all that the configuration makes known begins at 0, where that is few series. Two are left out, because
// each would be some thirty series for every probe or plan: failures by reason (but for the reasons that the shipped
// rules ask for) and refused recoveries by guard. Loop thread.
#pragma once

#include "app/loaded_config.h"
#include "probe/spec.h"
#include "self/self.h"

namespace app {

// All of a configuration, again and again: counters that are there stay as they are.
void count_from_zero(self::Self& self, const LoadedConfig& loaded);
void count_from_zero(self::Self& self, const probe::Spec& probe);

}  // namespace app
