// GET /graph: an expression over a span of time, drawn. The Source of an alert leads here, as it does with Prometheus.
#pragma once

#include <string>
#include <string_view>

#include "web/pages/graph_query.h"
#include "web/snapshot.h"

namespace web {

std::string graph_page(const GraphQuery& query, const Snapshot& snapshot);

// To this page, from one with `root` as in Frame; without an end up to now. To be escaped in HTML.
std::string graph_href(std::string_view expression, std::string_view range, std::string_view root,
                       std::string_view end = "");

}  // namespace web
