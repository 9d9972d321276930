// Every metric family that /metrics shows: the agent's own, the server's, and what the probes and rules found. Any
// thread.
#pragma once

#include <vector>

#include "model/metric_family.h"
#include "web/context.h"

namespace web {

std::vector<model::MetricFamily> all_metrics(const Context& context);

}  // namespace web
