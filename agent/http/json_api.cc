#include "http/json_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "config/request.h"
#include "encoding/json_value.h"
#include "loop/scheduler.h"

namespace http {

base::Result<ApiAddress> parse_api_address(std::string_view text) {
  constexpr std::string_view kUnix = "unix://", kTcp = "tcp://";
  if (text.starts_with(kUnix)) {
    if (text.substr(kUnix.size()).empty() || text[kUnix.size()] != '/')
      return base::fail(base::Kind::invalid, "needs an absolute path behind unix://, as in unix:///run/docker.sock");
    return docker_on(std::string(text.substr(kUnix.size())));
  }
  std::string url = text.starts_with(kTcp) ? "http://" + std::string(text.substr(kTcp.size())) : std::string(text);
  if (const std::string why = config::url_complaint(url, "http://127.0.0.1:2375"); !why.empty())
    return base::fail(base::Kind::invalid, why + "; a unix socket is written unix:///run/docker.sock");
  while (url.ends_with('/')) url.pop_back();
  return ApiAddress{std::move(url), ""};
}

ApiAddress docker_on(std::string path) { return {"http://docker", std::move(path)}; }

bool is_plain_name(std::string_view name) {
  constexpr std::size_t kLongest = 255;
  return !name.empty() && name.size() <= kLongest && base::is_alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return base::is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

JsonApi::JsonApi(ApiAddress address, std::optional<ConfiguredClient> client, base::KnownSecrets secrets)
    : JsonApi([server = ApiServer{std::move(address), std::move(client), std::move(secrets)}]() -> const ApiServer& {
        return server;
      }) {}

loop::Handle JsonApi::ask(HttpClient& client, loop::Scheduler& scheduler, Request asked,
                          std::function<void(HttpResponse)> done) const {
  const ApiServer& server = server_();
  if (!server.trouble.empty())
    return scheduler.after({}, [done = std::move(done), why = server.trouble] {
      HttpResponse none;
      none.reason = model::Reason::agent_overloaded;
      none.text = why;
      done(std::move(none));
    });
  HttpRequest request;
  request.method = asked.method;
  request.url = server.address.url + asked.path;
  request.unix_socket = server.address.unix_socket;
  request.deadline = asked.deadline;
  request.body_limit = asked.body_limit;
  request.max_redirects = 0;
  request.enough = std::move(asked.enough);
  if (!asked.body.empty()) request.headers.emplace_back("Content-Type", asked.content_type);
  request.body = std::move(asked.body);
  if (!server.client) return client.request(std::move(request), std::move(done));
  return server.client->request(client, scheduler, std::move(request),
                                [done = std::move(done)](base::Result<HttpResponse> response) {
                                  if (response) return done(*std::move(response));
                                  const base::Kind kind = response.error().kind;
                                  const bool own = kind == base::Kind::limit || kind == base::Kind::permission;
                                  HttpResponse none;
                                  none.reason = own ? model::Reason::agent_overloaded : model::Reason::auth_failed;
                                  none.text = response.error().text;
                                  done(std::move(none));
                                });
}

std::string JsonApi::complaint(const HttpResponse& response) const {
  std::string text = response.text;
  if (response.reason == model::Reason::none) {
    const std::string words = said(response.body);
    text = fmt::format("HTTP status {}{}{}", response.status, words.empty() ? "" : ": ", words);
  }
  return fit(std::move(text));
}

std::string JsonApi::fit(std::string text) const {
  base::KnownSecrets all = learned();
  all.add(server_().secrets);
  return fit_to_show(std::move(text), all);
}

base::KnownSecrets JsonApi::learned() const {
  const ApiServer& server = server_();
  return server.client ? server.client->learned() : base::KnownSecrets();
}

std::string JsonApi::name() const {
  const ApiAddress& address = server_().address;
  return address.unix_socket.empty() ? base::without_secrets(address.url) : address.unix_socket;
}

std::string fit_to_show(std::string text, const base::KnownSecrets& secrets) {
  constexpr std::size_t kLongest = 512;
  return base::foreign_text(base::without_secrets(secrets.blotted(std::move(text))), kLongest);
}

bool is_good(const HttpResponse& response) {
  return response.reason == model::Reason::none && response.status / 100 == 2;
}

bool has_status(const HttpResponse& response, int status) {
  return response.reason == model::Reason::none && response.status == status;
}

std::string said(const std::string& body) {
  const encoding::json document = encoding::read_json(body);
  for (const char* name : {"message", "error"})
    if (const std::string text = encoding::text_of(encoding::member(document, name)); !text.empty())
      return base::first_line(text, 200);
  return base::first_line(body, 200);
}

}  // namespace http
