// What changes something: over the admin socket only.
#include <fmt/format.h>

#include "base/text.h"
#include "web/api/answer.h"
#include "web/routes.h"
#include "web/server/admin_access.h"

namespace web {
namespace {

Response refused(const Request& request, const Context& context) {
  if (request.reads_only)
    return api_error(
        ErrorType::forbidden,
        fmt::format("changes are made by root, the agent's user and the group {0} only; to join it: usermod -aG {0} "
                    "USER, and log in again",
                    kChangersGroup));
  const std::string& socket = context.options.admin_socket;
  const std::string where =
      socket.empty() ? "the admin socket (--admin.socket=PATH), which is not configured" : "the admin socket " + socket;
  return api_error(ErrorType::forbidden, fmt::format("changes are made over {} only", where));
}

// Something for a person to read, or why nothing was changed.
Response sentence(const base::Result<std::string>& answer) {
  if (!answer) return change_answer(answer);
  return api_success([&](encoding::Json& json) { json.string(*answer); });
}

// Within its limit: admin_refusal() has seen to that.
std::string comment_of(const Request& request) {
  return base::foreign_lines(request.param("comment"), std::string::npos);
}

}  // namespace

std::optional<Response> admin_refusal(const Request& request, const Context& context) {
  if (!request.admin) return refused(request, context);
  if (const auto comment = base::parse_comment(request.param("comment")); !comment)
    return invalid_parameter("comment", comment.error().text);
  return {};
}

// A person reads this: the path without what all paths have, and the fields as they were sent.
Asked asked_by(const Request& request, const std::string& service) {
  std::string_view path = request.path;
  for (const std::string_view prefix : {"/api/v1/", "/-/"})
    if (path.starts_with(prefix)) path.remove_prefix(prefix.size());
  std::string what = request.method == "DELETE" ? "delete " : "";
  what += path;
  for (const auto& [name, value] : request.params) what += fmt::format(" {}={}", name, value);
  return {request.by, service, what};
}

Response reload_route(const Request& request, const Context& context) {
  const auto answer =
      context.backend.change(asked_by(request), [](AdminBackend& admin, auto done) { admin.reload(done); });
  return answer && !answer->empty() ? sentence(answer) : change_answer(answer);
}

Response maintenance_route(const Request& request, const Context& context) {
  const std::string on = request.param("on");
  const bool yes = on == "true" || on == "1" || on == "on" || on == "yes";
  const bool no = on == "false" || on == "0" || on == "off" || on == "no";
  if (!yes && !no) return invalid_parameter("on", fmt::format("expected true or false, got \"{}\"", on));
  const std::string service = request.argument;
  if (no)
    return change_answer(context.backend.change(asked_by(request, service), [service](AdminBackend& admin, auto done) {
      admin.end_maintenance(service, done);
    }));
  Lasting lasting;
  for (const auto& [name, length] : {std::pair{"for", &lasting.length}, {"until_healthy", &lasting.until_healthy}})
    if (const std::string text = request.param(name); !text.empty()) {
      const auto parsed = base::parse_duration(text);
      if (!parsed || *parsed <= base::Millis{0})
        return invalid_parameter(name, fmt::format("expected a duration such as 2h, got \"{}\"", text));
      *length = *parsed;
    }
  return sentence(context.backend.change(
      asked_by(request, service), [service, lasting, comment = comment_of(request)](AdminBackend& admin, auto done) {
        admin.begin_maintenance(service, lasting, comment, done);
      }));
}

Response recover_route(const Request& request, const Context& context) {
  const Rehearsal rehearsal = request.param("dry_run") == "true" ? Rehearsal::yes : Rehearsal::no;
  return sentence(context.backend.change(
      asked_by(request, request.argument),
      [service = request.argument, rehearsal, comment = comment_of(request)](AdminBackend& admin, auto done) {
        admin.recover(service, rehearsal, comment, done);
      }));
}

Response abort_route(const Request& request, const Context& context) {
  return sentence(context.backend.change(asked_by(request, request.argument),
                                         [service = request.argument, comment = comment_of(request)](
                                             AdminBackend& admin, auto done) { admin.abort(service, comment, done); }));
}

Response rollout_route(const Request& request, const Context& context) {
  RolloutRequest wish{request.param("action"), request.param("batch"), base::Millis{0}, comment_of(request)};
  if (wish.batch.empty()) wish.batch = "1";
  const std::string deadline = request.param("deadline").empty() ? "5m" : request.param("deadline");
  const auto parsed = base::parse_duration(deadline);
  if (!parsed || *parsed <= base::Millis{0} || *parsed > base::Millis(std::chrono::hours{24}))
    return invalid_parameter("deadline",
                             fmt::format("expected a duration up to 24h, such as 5m, got \"{}\"", deadline));
  wish.deadline = *parsed;
  constexpr std::size_t kLongest = 256;
  if (wish.action.size() > kLongest || base::foreign_text(wish.action, kLongest) != wish.action)
    return invalid_parameter("action", "expected restart, reload or unit_hook:NAME");
  return sentence(context.backend.change(
      asked_by(request),
      [group = request.argument, wish](AdminBackend& admin, auto done) { admin.begin_rollout(group, wish, done); }));
}

Response resume_rollout_route(const Request& request, const Context& context) {
  return sentence(context.backend.change(
      asked_by(request), [group = request.argument, comment = comment_of(request)](AdminBackend& admin, auto done) {
        admin.resume_rollout(group, comment, done);
      }));
}

Response abort_rollout_route(const Request& request, const Context& context) {
  return sentence(context.backend.change(
      asked_by(request), [group = request.argument, comment = comment_of(request)](AdminBackend& admin, auto done) {
        admin.abort_rollout(group, comment, done);
      }));
}

Response run_drill_route(const Request& request, const Context& context) {
  return sentence(context.backend.change(
      asked_by(request), [name = request.argument, comment = comment_of(request),
                          consent = request.param("yes") == "true"](AdminBackend& admin, auto done) {
        admin.run_fault_drill(name, consent ? AdminBackend::Consent::yes : AdminBackend::Consent::no, comment, done);
      }));
}

Response drill_route(const Request& request, const Context& context) {
  return sentence(context.backend.change(
      asked_by(request, request.argument),
      [service = request.argument, fault = request.param("fault"), comment = comment_of(request)](
          AdminBackend& admin, auto done) { admin.drill(service, fault, comment, done); }));
}

Response approve_standby_route(const Request& request, const Context& context) {
  return sentence(
      context.backend.change(asked_by(request, request.argument),
                             [service = request.argument, comment = comment_of(request)](
                                 AdminBackend& admin, auto done) { admin.approve_standby(service, comment, done); }));
}

Response ack_route(const Request& request, const Context& context) {
  return change_answer(context.backend.change(
      asked_by(request, request.argument), [service = request.argument, comment = comment_of(request)](
                                               AdminBackend& admin, auto done) { admin.ack(service, comment, done); }));
}

}  // namespace web
