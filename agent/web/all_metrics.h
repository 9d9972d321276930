// All metrics that /metrics shows: the agent's own and the server's, and what the probes and rules found. Any thread
// but the loop's.
#pragma once

#include "web/backend.h"
#include "web/context.h"

namespace web {

Metrics all_metrics(const Context& context);

}  // namespace web
