#include "cli/client.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/node.h"
#include "http/configured_client.h"
#include "http/http_config.h"
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
  std::string text = fmt::format("HTTP {}: {}", response.status, base::foreign_lines(response.body, 500));
  if (response.status == 401)
    text += "; the port asks for a name and a password: write basic_auth into a file for --http.config.file";
  return text;
}

base::Kind kind_of_status(int status) {
  if (status == 404) return base::Kind::not_found;
  return status == 401 || status == 403 ? base::Kind::permission : base::Kind::invalid;
}

// The group that a file belongs to.
std::string group_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "fettle";
  std::array<char, 4096> room{};
  group entry{};
  group* found = nullptr;
  ::getgrgid_r(status.st_gid, &entry, room.data(), room.size(), &found);
  return found == nullptr ? std::to_string(status.st_gid) : found->gr_name;
}

base::Result<> may_open(const std::string& socket) {
  if (::access(socket.c_str(), R_OK | W_OK) == 0 || errno != EACCES) return {};
  const std::string group = group_of(socket);
  return base::fail(base::Kind::permission,
                    fmt::format("you may not open {}: it is for root and the group {}. Join it (sudo usermod -aG {} "
                                "$USER, then log in again), or use sudo",
                                socket, group, group));
}

base::Result<http::HttpResponse> transfer(http::HttpRequest request, const http::ConfiguredClient* configured) {
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  request.deadline = loop.now() + 30s;
  request.body_limit = 64 * 1024 * 1024;
  std::optional<base::Result<http::HttpResponse>> response;
  const auto done = [&](base::Result<http::HttpResponse> answer) {
    response = std::move(answer);
    loop.stop();
  };
  const loop::Handle under_way =
      configured != nullptr
          ? configured->request(http, loop, std::move(request), done)
          : http.request(std::move(request), [&](http::HttpResponse answer) { done(std::move(answer)); });
  loop.run();
  return std::move(*response);
}

base::Result<std::string> fetch(http::HttpRequest request, const http::ConfiguredClient* configured = nullptr) {
  // Without the question: an expression is no secret, and would be hidden as one.
  const std::string where = request.unix_socket.empty()
                                ? base::without_secrets(request.url.substr(0, request.url.find('?')))
                                : request.unix_socket;
  if (!request.unix_socket.empty()) {
    TRY_VOID(may_open(request.unix_socket));
  }
  TRY(http::HttpResponse response, transfer(std::move(request), configured));
  if (response.reason != model::Reason::none)
    return base::fail(base::Kind::unavailable,
                      fmt::format("no answer from {}: {}; is the agent running?", where,
                                  base::foreign_text(base::without_secrets(response.text), 1024)));
  if (response.status / 100 != 2) return base::fail(kind_of_status(response.status), answer_text(response));
  return std::move(response.body);
}

// The keys of a file in Prometheus' words, as promtool reads them.
base::Result<std::unique_ptr<http::ConfiguredClient>> configured_by(const std::string& file) {
  TRY(const std::string text, base::read_file(file));
  config::Errors errors;
  const config::Node node = config::Node::parse(text, file, errors);
  http::HttpConfig keys;
  if (!node.is_null()) keys = http::http_config_schema().parse(node, "", errors);
  auto client = std::make_unique<http::ConfiguredClient>(std::move(keys), node, "", errors);
  if (!errors.empty()) return base::fail(base::Kind::invalid, errors.text());
  return client;
}

base::Result<std::string> over_tcp(const std::string& url, const std::string& config_file, const std::string& path) {
  http::HttpRequest request;
  const std::size_t end = url.find_last_not_of('/');  // as it stands in a browser
  request.url = url.substr(0, end == std::string::npos ? 0 : end + 1) + path;
  if (config_file.empty()) return fetch(std::move(request));
  TRY(const std::unique_ptr<http::ConfiguredClient> client, configured_by(config_file));
  return fetch(std::move(request), client.get());
}

bool is_there(const std::string& socket) {
  struct stat status {};
  return ::stat(socket.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

bool AgentAddress::is_over_tcp() const { return !url.empty() || !http_config_file.empty() || !is_there(socket); }

std::string AgentAddress::shown() const {
  if (!url.empty()) return base::without_secrets(url);
  return is_over_tcp() ? model::kAgentUrl : socket;
}

base::Result<std::string> get(const AgentAddress& agent, const std::string& path_and_query) {
  if (agent.is_over_tcp())
    return over_tcp(agent.url.empty() ? model::kAgentUrl : agent.url, agent.http_config_file, path_and_query);
  auto answer = ask_admin(agent.socket, "GET", path_and_query);
  if (answer || answer.error().kind != base::Kind::permission) return answer;
  // Who is in no group of the socket may still read what the port shows everybody.
  auto from_port = over_tcp(model::kAgentUrl, agent.http_config_file, path_and_query);
  const bool is_answer =
      from_port || from_port.error().kind == base::Kind::not_found || from_port.error().kind == base::Kind::invalid;
  return is_answer ? std::move(from_port) : std::move(answer);
}

base::Result<std::string> ask_admin(const std::string& socket, const std::string& method,
                                    const std::string& path_and_query) {
  http::HttpRequest request;
  request.method = method;
  request.url = "http://localhost" + path_and_query;
  request.unix_socket = socket;
  return fetch(std::move(request));
}

}  // namespace cli
