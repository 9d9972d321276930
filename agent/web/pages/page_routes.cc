// What people and Prometheus look at: the pages, their assets, the metrics, and whether the agent is healthy and ready.
#include <fmt/format.h>

#include <algorithm>

#include "encoding/accept.h"
#include "encoding/exposition_writer.h"
#include "web/all_metrics.h"
#include "web/explain.h"
#include "web/pages/assets.h"
#include "web/pages/explain_page.h"
#include "web/pages/graph_page.h"
#include "web/pages/incident_pages.h"
#include "web/pages/measured.h"
#include "web/pages/service_page.h"
#include "web/pages/status_page.h"
#include "web/routes.h"

namespace web {
namespace {

Response page(std::string body) {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers.emplace_back("Content-Security-Policy", page_content_security_policy());
  response.headers.emplace_back("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

const ServicePage* find_service(const std::string& name, const Snapshot& snapshot) {
  const auto found = std::find_if(snapshot.services.begin(), snapshot.services.end(),
                                  [&](const ServicePage& s) { return s.name == name; });
  return found == snapshot.services.end() ? nullptr : &*found;
}

Response no_service(const std::string& name, const Snapshot& snapshot) {
  return text_response(404, no_service_text(name, snapshot));
}

}  // namespace

Response status_page_route(const Request& request, const Context& context) {
  return page(status_page(*context.slot.load(), view_of(request)));
}

Response explain_page_route(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const ServicePage* service = find_service(request.argument, *snapshot);
  return service ? page(explain_page(*service, *snapshot)) : no_service(request.argument, *snapshot);
}

Response service_page_route(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const ServicePage* service = find_service(request.argument, *snapshot);
  if (!service) return no_service(request.argument, *snapshot);
  const Measured history = measured(*service, request.param("range"), *snapshot, request, context);
  return page(service_page(*service, history, *snapshot));
}

Response incidents_page_route(const Request& request, const Context& context) {
  return page(incidents_page(request.param("service"), *context.slot.load()));
}

Response incident_page_route(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  for (const auto& incident : snapshot->incidents)
    if (incident->id == request.argument) return page(incident_page(*incident, *snapshot));
  return text_response(
      404, fmt::format("There is no incident \"{}\" here; /incidents lists those that are kept.", request.argument));
}

Response badge_route(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const ServicePage* service = find_service(request.argument, *snapshot);
  if (!service) return no_service(request.argument, *snapshot);
  Response response = page(service_badge(*service));
  response.content_type = "image/svg+xml";
  return response;
}

Response graph_page_route(const Request& request, const Context& context) {
  return page(graph_page(graph_query(request, context), *context.slot.load()));
}

Response asset_route(const Request& request, const Context&) {
  const Asset* found = find_asset(request.argument);
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

Response metrics_route(const Request& request, const Context& context) {
  const encoding::Exposition format = encoding::preferred_exposition(request.header("Accept"));
  Response response;
  response.content_type = encoding::content_type(format);
  response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  const Metrics metrics = all_metrics(context);
  response.body = encoding::expose(metrics.own, *metrics.found, format);
  return response;
}

Response healthy_route(const Request&, const Context&) { return text_response(200, "fettle is healthy."); }

Response ready_route(const Request&, const Context& context) {
  return context.slot.latest()->ready ? text_response(200, "fettle is ready.")
                                      : text_response(503, "fettle is starting: not all probes have a verdict yet.");
}

Response events_route(const Request&, const Context&) {
  Response response;
  response.content_type = "text/event-stream";
  response.stream = true;
  return response;
}

}  // namespace web
