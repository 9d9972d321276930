#include <fmt/format.h>

#include "web/api_answer.h"
#include "web/routes.h"

namespace web {
namespace {

Response refused_over_tcp(const Context& context) {
  const std::string& socket = context.options.admin_socket;
  const std::string where =
      socket.empty() ? "the admin socket (--admin.socket=PATH), which is not configured" : "the admin socket " + socket;
  return api_error("forbidden", fmt::format("changes are made over {} only", where));
}

Response answer(const base::Result<>& result) {
  if (result) return api_success([](Json& json) { json.null(); });
  // A mistake in what was sent is the sender's; api_error() has the rest.
  if (result.error().kind == base::Kind::invalid) return api_error("bad_data", result.error().text);
  return api_error(result.error());
}

Response maintenance(const Request& request, const Context& context) {
  const std::string service = url_decode(std::string_view(request.path).substr(sizeof "/api/v1/maintenance/" - 1));
  const std::string on = request.param("on");
  const bool yes = on == "true" || on == "1" || on == "on" || on == "yes";
  const bool no = on == "false" || on == "0" || on == "off" || on == "no";
  if (!yes && !no) return invalid_parameter("on", fmt::format("expected true or false, got \"{}\"", on));
  return answer(context.backend.set_maintenance(service, yes, request.param("comment")));
}

}  // namespace

Response admin_route(const Request& request, const Context& context) {
  if (!request.admin) {
    Response response = refused_over_tcp(context);
    response.status = 403;
    return response;
  }
  if (request.method != "POST" && request.method != "PUT") return not_allowed("POST, PUT");
  if (request.path == "/-/reload") return answer(context.backend.reload());
  return maintenance(request, context);
}

}  // namespace web
