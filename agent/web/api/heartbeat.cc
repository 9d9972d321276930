#include <fmt/format.h>

#include "base/ascii.h"
#include "base/file.h"
#include "web/routes.h"

namespace web {
namespace {

// What a service says of itself is shown on one line.
constexpr std::size_t kMostText = 400;

constexpr std::size_t kLongestFile = 64 * 1024;

// A line of the file is a token for all services, or "SERVICE TOKEN". All lines are compared, whichever fits.
bool has_token(const Request& request, std::string_view tokens, std::string_view service) {
  const std::string given = request.header("Authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (given.size() <= kScheme.size() || !base::same_word(given.substr(0, kScheme.size()), kScheme)) return false;
  const std::string_view shown = base::trim(std::string_view(given).substr(kScheme.size()));
  bool fits = false;
  while (!tokens.empty()) {
    std::string_view line = base::take_line(tokens);
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = base::trim(line);
    if (const std::size_t blank = line.find_first_of(" \t"); blank != std::string_view::npos) {
      if (line.substr(0, blank) != service) continue;
      line = base::trim(line.substr(blank));
    }
    if (!line.empty() && same_in_constant_time(shown, line)) fits = true;
  }
  return fits;
}

}  // namespace

Response heartbeat_route(const Request& request, const Context& context) {
  const std::string file = context.slot.latest()->heartbeat_token_file;
  if (file.empty() && !request.admin)
    return text_response(404,
                         "Heartbeats over HTTP are not configured; set heartbeat.token_file in the configuration.");
  const std::string& service = request.argument;
  const auto tokens = request.admin ? base::Result<std::string>("") : base::read_file(file, kLongestFile);
  if (!tokens) return text_response(503, tokens.error().text);
  if (!request.admin && !has_token(request, *tokens, service)) {
    Response response = text_response(401, "A heartbeat needs the header Authorization: Bearer TOKEN.");
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"fettle heartbeat\"");
    return response;
  }
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
    return text_response(404, fmt::format("{}{} Services here: {}.", done.error().text,
                                          done.error().text.ends_with('.') ? "" : ".", known.empty() ? "none" : known));
  }
  return text_response(503, done.error().text);
}

}  // namespace web
