#include <fmt/format.h>

#include "base/percent.h"
#include "base/text.h"
#include "web/api/answer.h"
#include "web/routes.h"
#include "web/server/admin_access.h"

namespace web {
namespace {

Response refused(const Request& request, const Context& context) {
  if (request.reads_only)
    return api_error(
        "forbidden",
        fmt::format("changes are made by root, the agent's user and the group {0} only; to join it: usermod -aG {0} "
                    "USER, and log in again",
                    kChangersGroup));
  const std::string& socket = context.options.admin_socket;
  const std::string where =
      socket.empty() ? "the admin socket (--admin.socket=PATH), which is not configured" : "the admin socket " + socket;
  return api_error("forbidden", fmt::format("changes are made over {} only", where));
}

// Something for a person to read, or why nothing was changed.
Response sentence(const base::Result<std::string>& answer) {
  if (!answer) return change_answer(tl::unexpected<base::Error>(answer.error()));
  return api_success([&](encoding::Json& json) { json.string(*answer); });
}

// Within its limit: admin_route() has seen to that.
std::string comment_of(const Request& request) {
  return base::foreign_lines(request.param("comment"), std::string::npos);
}

Response maintenance(const Request& request, const Context& context) {
  const std::string service =
      base::percent_decode(std::string_view(request.path).substr(sizeof "/api/v1/maintenance/" - 1));
  const std::string on = request.param("on");
  const bool yes = on == "true" || on == "1" || on == "on" || on == "yes";
  const bool no = on == "false" || on == "0" || on == "off" || on == "no";
  if (!yes && !no) return invalid_parameter("on", fmt::format("expected true or false, got \"{}\"", on));
  if (no) return change_answer(context.backend.end_maintenance(service));
  base::Millis length{0};
  if (const std::string text = request.param("for"); !text.empty()) {
    const auto parsed = base::parse_duration(text);
    if (!parsed || *parsed <= base::Millis{0})
      return invalid_parameter("for", fmt::format("expected a duration such as 2h, got \"{}\"", text));
    length = *parsed;
  }
  return sentence(context.backend.begin_maintenance(service, length, comment_of(request)));
}

Response recover(const Request& request, const Context& context) {
  // SERVICE, or SERVICE/abort; no name of a service has a slash.
  constexpr std::string_view kAbort = "/abort";
  std::string_view name = std::string_view(request.path).substr(sizeof "/api/v1/recover/" - 1);
  const std::string comment = comment_of(request);
  if (name.ends_with(kAbort)) {
    name.remove_suffix(kAbort.size());
    return sentence(context.backend.abort(base::percent_decode(name), comment));
  }
  const Rehearsal rehearsal = request.param("dry_run") == "true" ? Rehearsal::yes : Rehearsal::no;
  return sentence(context.backend.recover(base::percent_decode(name), rehearsal, comment));
}

Response ack(const Request& request, const Context& context) {
  const std::string service = base::percent_decode(std::string_view(request.path).substr(sizeof "/api/v1/ack/" - 1));
  return change_answer(context.backend.ack(service, comment_of(request)));
}

}  // namespace

Response admin_route(const Request& request, const Context& context) {
  if (!request.admin) {
    Response response = refused(request, context);
    response.status = 403;
    return response;
  }
  if (const auto comment = base::parse_comment(request.param("comment")); !comment)
    return invalid_parameter("comment", comment.error().text);
  if (request.path.starts_with("/api/v1/silence")) return change_silences(request, context);
  if (request.method != "POST" && request.method != "PUT") return not_allowed("POST, PUT");
  if (request.path == "/-/reload") return change_answer(context.backend.reload());
  if (request.path.starts_with("/api/v1/recover/")) return recover(request, context);
  if (request.path.starts_with("/api/v1/ack/")) return ack(request, context);
  return maintenance(request, context);
}

}  // namespace web
