// GET /graph: what an expression has now, in a table. The Source of an alert leads here, as it does with Prometheus.
#pragma once

#include <string>

#include "web/snapshot.h"

namespace web {

// `answer` is that of /api/v1/query for `expression`; "" while nothing is asked.
std::string graph_page(const std::string& expression, const std::string& answer, const Snapshot& snapshot);

}  // namespace web
