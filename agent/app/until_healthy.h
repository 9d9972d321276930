// Silences and maintenance that end once their service has been healthy for long enough. Loop thread.
#pragma once

#include "app/service_health_table.h"
#include "notify/silences.h"
#include "recover/dispatcher.h"

namespace app {

// To be called now and then; what is late by that much ends that much later.
void end_where_healthy(const ServiceHealthTable& health_table, notify::Silences& silences,
                       recover::Dispatcher& dispatcher);

}  // namespace app
