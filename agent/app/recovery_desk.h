// What people ask of recovery over the admin socket: each request is written to the log with who and why, and the pages
// show what came of it. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "app/backend.h"
#include "app/service_health_table.h"
#include "recover/dispatcher.h"

namespace app {

// Fills in the calls about maintenance, recover and ack. All arguments outlive `side`; `changed` is called after each.
void open_recovery_desk(LoopSide& side, const ServiceHealthTable& health_table, recover::Dispatcher& dispatcher,
                        const std::string& config_file, std::function<void()> changed);

}  // namespace app
