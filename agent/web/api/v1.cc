#include "web/api/v1.h"

#include "base/percent.h"
#include "web/api/answer.h"

namespace web {

Response api_v1(const Request& request, std::string_view path, const Context& context) {
  const bool post = request.method == "POST";
  if (request.method != "GET" && request.method != "HEAD" && !post) return not_allowed("GET, HEAD, POST");
  if (path == "query") return api_query(request, context);
  if (path == "query_range") return api_query_range(request, context);
  if (path == "format_query") return api_format_query(request, context);
  if (path == "series") return api_series(request, context);
  if (path == "labels") return api_label_names(request, context);

  // What takes no long parameters is GET only, as in Prometheus.
  const bool label_values = path.starts_with("label/") && path.ends_with("/values") && path.size() > 13;
  const bool known = label_values || path == "rules" || path == "alerts" || path == "metadata" ||
                     path == "status/buildinfo" || path == "status/config" || path == "services" ||
                     path == "recoveries" || path == "silences" || path.starts_with("explain/");
  if (!known)
    return api_error("not_found",
                     "no such endpoint; there are query, query_range, format_query, series, labels, "
                     "label/<name>/values, metadata, rules, alerts, status/buildinfo, status/config, services, "
                     "recoveries, silences, explain/<service> and events");
  if (post) return not_allowed("GET, HEAD");
  if (label_values) return api_label_values(request, base::percent_decode(path.substr(6, path.size() - 13)), context);
  if (path == "rules") return api_rules(request, context);
  if (path == "alerts") return api_alerts(context);
  if (path == "metadata") return api_metadata(request, context);
  if (path == "status/buildinfo") return api_buildinfo(context);
  if (path == "status/config") return api_config(context);
  if (path == "services") return api_services(context);
  if (path == "recoveries") return api_recoveries(request, context);
  if (path == "silences") return api_silences(context);
  return api_explain(base::percent_decode(path.substr(8)), context);
}

}  // namespace web
