// Requests by an HttpConfig: with its TLS, its proxy and its credentials. Files with credentials are read at each
// request, so that a rotated one needs no reload; a token is kept from request to request. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "http/http_client.h"
#include "http/http_config.h"
#include "loop/handle.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace http {

class ConfiguredClient {
 public:
  // `node` is where the keys stand; mistakes that only the TLS library finds go to `errors`.
  ConfiguredClient(HttpConfig config, const config::Node& node, const std::string& path, config::Errors& errors);

  // Sends something that says who asks.
  bool authenticates() const;
  // Writes into a request what is the same for all: TLS, proxy, redirects, the version of HTTP and the headers that
  // stand in the configuration. Not the credentials.
  void prepare(HttpRequest& request) const;

  // Prepares and sends, with the credentials as they are now; a token that is refused is fetched once more. `done`
  // comes once, in a later turn. An error: nothing was sent, for the credentials could not be had; kind permission or
  // limit where that is the agent's own trouble. This may go before the request has ended.
  using Done = std::function<void(base::Result<HttpResponse>)>;
  loop::Handle request(HttpClient& client, loop::Scheduler& scheduler, HttpRequest request, Done done) const;

  // For those that send by themselves: the value of the Authorization header, "" for none; and where tokens come from,
  // null without oauth2.
  base::Result<std::string> authorization() const;
  TokenSource* tokens() const;
  // Secrets that do not stand in the configuration: tokens that were fetched.
  base::KnownSecrets learned() const;

 private:
  class Exchange;
  struct Parts;
  std::shared_ptr<const Parts> parts_;  // a request under way holds them, too
};

}  // namespace http
