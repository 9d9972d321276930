#include "cli/client.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/secret.h"
#include "base/text.h"
#include "loop/event_loop.h"
#include "net/resolver.h"

namespace cli {
namespace {

using namespace std::chrono_literals;

// Prometheus-style error bodies say it best; else the status line and the start of the body.
std::string answer_text(const http::HttpResponse& response) {
  constexpr std::size_t kShown = 4096;
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  if (body.is_object() && body.contains("error") && body["error"].is_string())
    return base::foreign_lines(body["error"].get<std::string>(), kShown);
  return fmt::format("HTTP {}: {}", response.status, base::foreign_lines(response.body, 500));
}

}  // namespace

base::Result<std::string> fetch(http::HttpRequest request) {
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  request.deadline = loop.now() + 30s;
  request.body_limit = 64 * 1024 * 1024;
  const std::string where = request.unix_socket.empty() ? base::without_secrets(request.url) : request.unix_socket;
  std::optional<http::HttpResponse> response;
  const loop::Handle transfer = http.request(std::move(request), [&](http::HttpResponse answer) {
    response = std::move(answer);
    loop.stop();
  });
  loop.run();
  if (response->reason != model::Reason::none)
    return base::fail(base::Kind::unavailable,
                      fmt::format("no answer from {}: {}; is the agent running?", where,
                                  base::foreign_text(base::without_secrets(response->text), 1024)));
  if (response->status / 100 != 2) return base::fail(base::Kind::invalid, answer_text(*response));
  return std::move(response->body);
}

base::Result<std::string> get(const std::string& base_url, const std::string& path_and_query) {
  http::HttpRequest request;
  request.url = base_url + path_and_query;
  return fetch(std::move(request));
}

base::Result<std::string> post_admin(const std::string& socket, const std::string& path_and_query) {
  http::HttpRequest request;
  request.method = "POST";
  request.url = "http://localhost" + path_and_query;
  request.unix_socket = socket;
  return fetch(std::move(request));
}

}  // namespace cli
