// What people and Prometheus look at: the pages, their assets, the metrics, and whether the agent is healthy and ready.
#include "encoding/accept.h"
#include "encoding/exposition_writer.h"
#include "web/all_metrics.h"
#include "web/pages/assets.h"
#include "web/pages/explain_page.h"
#include "web/pages/graph_page.h"
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

}  // namespace

Response status_page_route(const Request&, const Context& context) { return page(status_page(*context.slot.load())); }

Response explain_page_route(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  for (const ServicePage& service : snapshot->services)
    if (service.name == request.argument) return page(explain_page(service, *snapshot));
  return text_response(404, "There is no such service here; see /api/v1/services.");
}

Response graph_page_route(const Request& request, const Context& context) {
  const std::string expression = request.param("g0.expr");
  std::string answer;
  if (!expression.empty()) {
    Request question = request;
    question.params = {{"query", expression}};
    answer = api_query(question, context).body;
  }
  Response response = page(graph_page(expression, answer, *context.slot.load()));
  for (auto& [name, value] : response.headers)
    if (const std::size_t at = value.find("form-action 'none'"); at != std::string::npos)
      value.replace(at, std::string_view("form-action 'none'").size(), "form-action 'self'");
  return response;
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
