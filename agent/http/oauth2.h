// oauth2, in Prometheus' words: an access token by the client credentials grant (RFC 6749, 4.4), fetched when it is
// needed and kept until shortly before it expires. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "config/schema.h"
#include "http/http_client.h"
#include "http/proxy_config.h"
#include "loop/handle.h"
#include "net/tls/tls.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace http {

struct OAuth2 {
  std::string client_id;
  base::Secret client_secret;
  std::string client_secret_file;
  std::string token_url;
  std::vector<std::string> scopes;
  std::map<std::string, std::string> endpoint_params;
  net::TlsSettings tls_config;
  ProxyConfig proxy;
};

const config::Schema<OAuth2>& oauth2_schema();

// A client and the token that it holds. Lives with the settings that name it, longer than any request.
class TokenSource {
 public:
  TokenSource(OAuth2 client, const config::Node& node, const std::string& path, config::Errors& errors);

  // The value of the Authorization header; "" if there is no token that is still good.
  std::string kept(base::Instant now) const { return now < good_until_ ? header_ : ""; }
  void forget() { header_.clear(); }
  // The newest token and the one before: a peer may repeat one that it has just refused.
  base::KnownSecrets given() const;
  const std::string& url() const { return client_.token_url; }

 private:
  friend class TokenRequest;
  // Servers want the client's name and secret in a header or in the body; the first answer tells which.
  enum class Style { unknown, header, body };

  base::Result<HttpRequest> request(Style style) const;
  // The token of an answer, or why it has none.
  base::Result<> take(const HttpResponse& response, base::Instant now);

  OAuth2 client_;
  std::shared_ptr<net::TlsContext> tls_;
  Style style_ = Style::unknown;
  std::string header_;
  std::string token_, token_before_;
  base::Instant good_until_{};
};

// One fetching of a token. `done` comes once, in a later turn: the header's value, or why there is none. Dropping it
// cancels.
class TokenRequest {
 public:
  using Done = std::function<void(base::Result<std::string>)>;
  TokenRequest(HttpClient& client, loop::Scheduler& scheduler, TokenSource& source, base::Instant deadline, Done done);

 private:
  void ask(TokenSource::Style style);
  void on_answer(TokenSource::Style style, const HttpResponse& response);

  HttpClient& client_;
  loop::Scheduler& scheduler_;
  TokenSource& source_;
  base::Instant deadline_;
  Done done_;
  loop::Handle asking_;
};

}  // namespace http
