// The figures that every Prometheus client shows about its process, read from /proc. Any thread.
#pragma once

#include <vector>

#include "model/metric_family.h"

namespace self {

// What cannot be read is left out.
std::vector<model::MetricFamily> process_metrics();

}  // namespace self
