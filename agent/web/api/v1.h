// Prometheus' HTTP API v1 as far as one agent can answer it, byte for byte in form: Grafana's Prometheus data source
// and promtool work with it. Beside it, what Prometheus has not: services, recoveries, silences, explain.
#pragma once

#include <string>
#include <string_view>

#include "encoding/json.h"
#include "web/context.h"
#include "web/server/http.h"

namespace web {

// `path` is what follows /api/v1/.
Response api_v1(const Request& request, std::string_view path, const Context& context);

// The handlers, by file. In api_query.cc:
Response api_query(const Request& request, const Context& context);
Response api_query_range(const Request& request, const Context& context);
Response api_format_query(const Request& request, const Context& context);
// In api_series.cc:
Response api_series(const Request& request, const Context& context);
Response api_label_names(const Request& request, const Context& context);
Response api_label_values(const Request& request, std::string_view label, const Context& context);
// In api_rules.cc:
Response api_rules(const Request& request, const Context& context);
Response api_alerts(const Context& context);
// In silences.cc:
Response api_silences(const Context& context);
// In api_status.cc:
Response api_metadata(const Request& request, const Context& context);
Response api_buildinfo(const Context& context);
Response api_config(const Context& context);
// In api_services.cc:
Response api_services(const Context& context);
Response api_recoveries(const Request& request, const Context& context);
Response api_explain(std::string_view service, const Context& context);

}  // namespace web
