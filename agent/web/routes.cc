#include "web/routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/percent.h"
#include "encoding/accept.h"
#include "encoding/exposition_writer.h"
#include "encoding/gzip.h"
#include "web/all_metrics.h"
#include "web/api/v1.h"
#include "web/pages/assets.h"
#include "web/pages/explain_page.h"
#include "web/pages/status_page.h"

namespace web {
namespace {

// Below this a packet is a packet.
constexpr std::size_t kWorthCompressing = 1024;

Response metrics(const Request& request, const Context& context) {
  const encoding::Exposition format = encoding::preferred_exposition(request.header("Accept"));
  Response response;
  response.content_type = encoding::content_type(format);
  response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  response.body = encoding::expose(all_metrics(context), format);
  return response;
}

Response page(const Context& context) {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers.emplace_back("Content-Security-Policy", page_content_security_policy());
  response.headers.emplace_back("Cache-Control", "no-store");
  response.body = status_page(*context.slot.load());
  return response;
}

Response explain_service(std::string_view name, const Context& context) {
  const auto snapshot = context.slot.load();
  for (const ServicePage& service : snapshot->services) {
    if (service.name != name) continue;
    Response response;
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back("Content-Security-Policy", page_content_security_policy());
    response.headers.emplace_back("Cache-Control", "no-store");
    response.body = explain_page(service, *snapshot);
    return response;
  }
  return text_response(404, "There is no such service here; see /api/v1/services.");
}

Response asset(const Request& request, std::string_view name) {
  const Asset* found = find_asset(name);
  if (!found) return text_response(404, "No such asset.");
  Response response;
  response.content_type = found->content_type;
  const std::string tag = '"' + found->tag + '"';
  response.headers.emplace_back("ETag", tag);
  // The page asks for it by its tag, so what is under one address never changes.
  response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  if (request.header("If-None-Match").find(tag) != std::string::npos) {
    response.status = 304;
    return response;
  }
  response.body = found->text;
  return response;
}

Response ready(const Context& context) {
  return context.slot.latest()->ready ? text_response(200, "fettle is ready.")
                                      : text_response(503, "fettle is starting: not all probes have a verdict yet.");
}

Response not_found() {
  return text_response(404,
                       "There is nothing here. Try / (status page), /metrics, /probe?target=…, /-/healthy, /-/ready, "
                       "/api/v1/query?query=… or /api/v1/services.");
}

Response dispatch(const Request& request, const Context& context) {
  const std::string& path = request.path;
  if (path == "/-/reload" || path.starts_with("/api/v1/maintenance/") || path.starts_with("/api/v1/recover/") ||
      path.starts_with("/api/v1/ack/") || path.starts_with("/api/v1/silence/") ||
      (path == "/api/v1/silences" && request.method != "GET" && request.method != "HEAD"))
    return admin_route(request, context);
  if (path == "/probe") return probe_route(request, context);
  if (path.starts_with("/heartbeat/")) return heartbeat_route(request, context);
  if (path.starts_with("/api/v1/")) return api_v1(request, std::string_view(path).substr(8), context);

  const bool is_asset = path.starts_with("/assets/");
  const bool is_explain = path.starts_with("/explain/");
  const bool known =
      path == "/" || is_explain || path == "/metrics" || path == "/-/healthy" || path == "/-/ready" || is_asset;
  if (!known) return not_found();
  if (request.method != "GET" && request.method != "HEAD") return not_allowed("GET, HEAD");
  if (path == "/") return page(context);
  if (is_explain) return explain_service(base::percent_decode(std::string_view(path).substr(9)), context);
  if (path == "/metrics") return metrics(request, context);
  if (path == "/-/healthy") return text_response(200, "fettle is healthy.");
  if (path == "/-/ready") return ready(context);
  return asset(request, std::string_view(path).substr(8));
}

Response finished(const Request& request, Response response) {
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  if (response.body.size() >= kWorthCompressing && encoding::accepts_gzip(request.header("Accept-Encoding"))) {
    response.body = encoding::gzip(response.body);
    response.share.resize(std::min(response.share.bytes(), response.body.size()));
    response.headers.emplace_back("Content-Encoding", "gzip");
  }
  return response;
}

}  // namespace

Response route(const Request& request, const Context& context) {
  Response response = dispatch(request, context);
  if (!response.later) return finished(request, std::move(response));
  response.later = [request, later = std::move(response.later)](const std::function<void(Response)>& done) {
    later([request, done](Response answer) { done(finished(request, std::move(answer))); });
  };
  return response;
}

}  // namespace web
