// Which handler answers which path: the table of routes.def, and what is the same for all answers. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "web/context.h"
#include "web/server/http.h"
#include "web/server/lane.h"

namespace web {

enum class Access {
  everybody,  // over TCP, with name and password where the web configuration asks for them
  token,      // the handler asks for a token of its own, in the header of name and password
  admin       // over the admin socket, from users who may change things; everybody else gets 403
};

struct Route {
  std::string_view methods;  // as the header Allow has them: "GET, HEAD"
  std::string_view pattern;  // a whole segment may be a {parameter}
  Access access;
  Lane lane;
  Response (*handler)(const Request& request, const Context& context);
  std::string_view help;
};
const std::vector<Route>& routes();  // in the order of routes.def

// Answers the request, compressed if the client takes it. HEAD is answered as GET; the server leaves the body out.
Response route(const Request& request, const Context& context);

// Of a path as it was sent. Those below /api/v1/ that nothing answers are of Lane::api as well.
Lane lane_of(std::string_view path);
bool has_own_token(std::string_view path);  // some route to it is of Access::token

// Why the request may change nothing, or has a comment that is too long; in api/admin.cc.
std::optional<Response> admin_refusal(const Request& request, const Context& context);
// For the audit trail; in api/admin.cc.
Asked asked_by(const Request& request, const std::string& service = "");

#define ROUTE(methods, pattern, access, lane, handler, help) \
  Response handler(const Request& request, const Context& context);
#include "web/routes.def"
#undef ROUTE

}  // namespace web
