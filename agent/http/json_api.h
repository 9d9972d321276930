// Servers that are asked over HTTP and answer in JSON: Docker's engine, Consul, Marathon. One request, and what became
// of it. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "http/configured_client.h"
#include "http/http_client.h"
#include "loop/handle.h"

namespace http {

// Where such a server is.
struct ApiAddress {
  std::string url;          // http(s)://HOST[:PORT][/PATH], without a slash at its end
  std::string unix_socket;  // connect here; "": to the URL's host
};

// unix:///PATH, tcp://HOST:PORT, http:// or https://, as Docker's clients take it. Error: invalid, why it is none.
base::Result<ApiAddress> parse_api_address(std::string_view text);
// Docker's engine, or a proxy of it, on a unix socket.
ApiAddress docker_on(std::string path);
inline constexpr const char* kDockerSocket = "/run/docker.sock";
// A name or id that may stand in a path as it is: a letter or digit, then letters, digits and _.-. All names of
// containers are such.
bool is_plain_name(std::string_view name);

// Such a server, and how it is asked.
struct ApiServer {
  ApiAddress address{};
  std::optional<ConfiguredClient> client{};  // without one nothing is sent but the request itself
  base::KnownSecrets secrets{};
  std::string trouble{};  // why it cannot be asked, such as a file that is not there; "" if it can
};

class JsonApi {
 public:
  explicit JsonApi(ApiAddress address, std::optional<ConfiguredClient> client = std::nullopt,
                   base::KnownSecrets secrets = {});
  // A server that a file describes, which may change: asked for at each use, and valid until the next call.
  explicit JsonApi(std::function<const ApiServer&()> server) : server_(std::move(server)) {}

  struct Request {
    const char* method = "GET";
    std::string path{};                             // from the slash on, with its query
    std::string body{};                             // JSON
    const char* content_type = "application/json";  // of the body: a patch has another one
    base::Instant deadline{};
    std::size_t body_limit = std::size_t{8} * 1024 * 1024;
    std::function<bool(std::string_view)> enough{};  // as HttpRequest has it
  };
  // `done` exactly once, in a later turn. Credentials that could not be had are a response with a reason:
  // agent_overloaded where that is the agent's own trouble.
  loop::Handle ask(HttpClient& client, loop::Scheduler& scheduler, Request request,
                   std::function<void(HttpResponse)> done) const;
  // Why it is no answer of 2xx, for people: one line of bounded length, without secrets. With the server's own
  // {"message": …}, {"error": …} or first line.
  std::string complaint(const HttpResponse& response) const;
  // What the server says beside that, in the same way.
  std::string fit(std::string text) const;
  // Secrets that do not stand in the configuration: tokens that were fetched.
  base::KnownSecrets learned() const;
  // Where it is, for people.
  std::string name() const;
  const ApiAddress& address() const { return server_().address; }

 private:
  std::function<const ApiServer&()> server_;
};

// A complete answer of 2xx, or of this status.
bool is_good(const HttpResponse& response);
bool has_status(const HttpResponse& response, int status);
// What a server says, as people may read it: one line of bounded length, without the secrets that it, or a proxy in
// front of it, may repeat.
std::string fit_to_show(std::string text, const base::KnownSecrets& secrets);
// {"message": …}, {"error": …} or the first line, at most 200 bytes.
std::string said(const std::string& body);

}  // namespace http
