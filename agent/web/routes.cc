#include "web/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/percent.h"
#include "encoding/accept.h"
#include "encoding/gzip.h"
#include "web/api/answer.h"

namespace web {
namespace {

// Below this a packet is a packet.
constexpr std::size_t kWorthCompressing = 1024;
constexpr std::string_view kApi = "/api/v1/";

// The METHODS of routes.def.
constexpr std::string_view GET = "GET, HEAD", GET_POST = "GET, HEAD, POST", POST = "POST", POST_PUT = "POST, PUT",
                           DELETE = "DELETE";

// What stands in `path` where `pattern` has its {parameter}, "" if it has none; nothing if the path is another one.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == path ? std::optional(std::string_view()) : std::nullopt;
  const std::string_view before = pattern.substr(0, open), after = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) return {};
  const std::string_view argument = path.substr(before.size(), path.size() - before.size() - after.size());
  return argument.find('/') == std::string_view::npos ? std::optional(argument) : std::nullopt;
}

// The methods in "GET, HEAD", one after the other.
template <typename F>
void each_method(std::string_view methods, const F& f) {
  while (!methods.empty()) {
    const std::size_t end = std::min(methods.find(", "), methods.size());
    f(methods.substr(0, end));
    methods.remove_prefix(std::min(end + 2, methods.size()));
  }
}

bool allows(const Route& route, std::string_view method) {
  bool found = false;
  each_method(route.methods, [&](std::string_view each) { found = found || each == method; });
  return found;
}

// Scripts read JSON below /api/v1/, people read the table.
Response not_found(const Request& request) {
  if (request.path.starts_with(kApi)) {
    std::string open, admin;
    for (const Route& route : routes()) {
      if (!route.pattern.starts_with(kApi)) continue;
      std::string& list = route.access == Access::admin ? admin : open;
      list += fmt::format("{}{}", list.empty() ? "" : ", ", route.pattern.substr(kApi.size()));
    }
    return api_error(ErrorType::not_found,
                     fmt::format("no such endpoint; there are {}; over the admin socket also {}", open, admin));
  }
  std::string text =
      request.path.starts_with("/api/v2")
          ? "This is no Alertmanager: amtool speaks to the Alertmanager itself. The agent's own silences are "
            "made by `fettle silence add` and listed by `fettle silence list` and /api/v1/silences. These "
            "are the paths:\n"
          : "There is nothing here. These are the paths:\n";
  for (const Route& route : routes())
    text += fmt::format("\n{:<16} {:<34} {}{}", route.methods, route.pattern, route.help,
                        route.access == Access::admin ? " (over the admin socket)" : "");
  return text_response(404, text);
}

Response dispatch(Request request, const Context& context) {
  std::vector<std::string_view> allowed;  // by the routes to this path
  bool only_admin = true;
  for (const Route& route : routes()) {
    const auto argument = match(route.pattern, request.path);
    if (!argument) continue;
    if (!allows(route, request.method)) {
      each_method(route.methods, [&](std::string_view each) { allowed.push_back(each); });
      only_admin = only_admin && route.access == Access::admin;
      continue;
    }
    if (route.access == Access::admin)
      if (auto refusal = admin_refusal(request, context)) return *std::move(refusal);
    request.argument = base::percent_decode(*argument);
    return route.handler(request, context);
  }
  if (allowed.empty()) return not_found(request);
  if (request.method == "OPTIONS" && request.path.starts_with(kApi) && !only_admin) {
    Response response = text_response(204, "");
    response.body.clear();
    response.headers.emplace_back("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
    return response;
  }
  if (only_admin)
    if (auto refusal = admin_refusal(request, context)) return *std::move(refusal);
  return not_allowed(fmt::format("{}", fmt::join(allowed, ", ")));
}

// Of Prometheus' own API, as Prometheus answers with its default flags: pages of others may read it, without
// credentials.
void allow_origins(const Request& request, Response& response) {
  if (request.header("Origin").empty() || !request.path.starts_with(kApi) || request.admin) return;
  response.headers.emplace_back("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
  response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  response.headers.emplace_back("Access-Control-Expose-Headers", "Date");
  response.headers.emplace_back("Vary", "Origin");
}

Response finished(const Request& request, Response response) {
  allow_origins(request, response);
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

const std::vector<Route>& routes() {
#define ROUTE(methods, pattern, access, lane, handler, help) \
  Route{methods, pattern, Access::access, Lane::lane, handler, help},
  static const std::vector<Route> all{
#include "web/routes.def"
  };
#undef ROUTE
  return all;
}

Response route(const Request& request, const Context& context) {
  Response response = dispatch(request, context);
  if (!response.later) return finished(request, std::move(response));
  response.later = [request, later = std::move(response.later)](const std::function<void(Response)>& done) {
    later([request, done](Response answer) { done(finished(request, std::move(answer))); });
  };
  return response;
}

Lane lane_of(std::string_view path) {
  for (const Route& route : routes())
    if (match(route.pattern, path)) return route.lane;
  return path.starts_with(kApi) ? Lane::api : Lane::other;
}

bool has_own_token(std::string_view path) {
  return std::any_of(routes().begin(), routes().end(),
                     [&](const Route& route) { return route.access == Access::token && match(route.pattern, path); });
}

}  // namespace web
