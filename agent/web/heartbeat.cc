#include <fmt/format.h>

#include "base/ascii.h"
#include "base/file.h"
#include "web/routes.h"

namespace web {
namespace {

// What a service says of itself is shown on one line.
constexpr std::size_t kMostText = 400;

constexpr std::size_t kLongestToken = 64 * 1024;

bool has_token(const Request& request, std::string_view token) {
  const std::string given = request.header("Authorization");
  constexpr std::string_view kScheme = "Bearer ";
  return !token.empty() && given.size() > kScheme.size() && base::same_word(given.substr(0, kScheme.size()), kScheme) &&
         same_in_constant_time(trim(std::string_view(given).substr(kScheme.size())), token);
}

}  // namespace

Response heartbeat_route(const Request& request, const Context& context) {
  const std::string file = context.slot.latest()->heartbeat_token_file;
  if (file.empty() && !request.admin)
    return text_response(404,
                         "Heartbeats over HTTP are not configured; set heartbeat.token_file in the configuration.");
  if (request.method != "POST") return not_allowed("POST");
  auto token = request.admin ? base::Result<std::string>("") : base::read_file(file, kLongestToken);
  if (!token) return text_response(503, token.error().text);
  while (token->ends_with('\n') || token->ends_with('\r')) token->pop_back();
  if (!request.admin && !has_token(request, trim(*token))) {
    Response response = text_response(401, "A heartbeat needs the header Authorization: Bearer TOKEN.");
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"fettle heartbeat\"");
    return response;
  }
  const std::string service = url_decode(std::string_view(request.path).substr(sizeof "/heartbeat/" - 1));
  const std::string status = request.param("status");
  if (status != "" && status != "ok" && status != "fail")
    return text_response(400, fmt::format("status is ok or fail, not \"{}\".", status));
  std::string text = request.has_param("text") ? request.param("text") : request.body;
  text.resize(std::min(text.size(), kMostText));
  const auto done = context.backend.heartbeat(service, status == "fail", std::move(text));
  if (done) return text_response(202, "Heard.");
  if (done.error().kind == base::Kind::not_found) {
    std::string known;
    for (const ServicePage& each : context.slot.load()->services) known += (known.empty() ? "" : ", ") + each.name;
    return text_response(404, fmt::format("{} Services here: {}.", done.error().text, known));
  }
  return text_response(503, done.error().text);
}

}  // namespace web
