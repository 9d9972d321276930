#include "http/configured_client.h"

#include <utility>

#include "base/credential.h"
#include "encoding/url.h"
#include "loop/scheduler.h"
#include "net/tls/tls_config.h"

namespace http {

struct ConfiguredClient::Parts {
  HttpConfig config;
  std::shared_ptr<net::TlsContext> tls;  // null: the default settings
  std::unique_ptr<TokenSource> tokens;   // of oauth2

  base::Result<std::string> authorization() const {
    if (config.basic_auth) return header_value(*config.basic_auth);
    if (config.authorization) return header_value(*config.authorization);
    return std::string();
  }

  void prepare(HttpRequest& request) const {
    request.tls = tls;
    set_proxy(config.proxy, request);
    if (!config.follow_redirects) request.max_redirects = 0;
    request.http2 = config.enable_http2 ? Http2::offered : Http2::no;
    for (const auto& [name, lines] : config.http_headers) {
      for (const std::string& value : lines.values) request.headers.emplace_back(name, value);
      for (const base::Secret& secret : lines.secrets) request.private_headers.emplace_back(name, secret.reveal());
    }
  }

  base::Result<> add_headers_of_files(HttpRequest& request) const {
    for (const auto& [name, lines] : config.http_headers)
      for (const std::string& file : lines.files) {
        TRY(std::string value, base::credential({}, file));
        request.private_headers.emplace_back(name, std::move(value));
      }
    return {};
  }
};

// One request with what is needed to be let in.
class ConfiguredClient::Exchange final : public loop::Registration {
 public:
  Exchange(std::shared_ptr<const Parts> parts, HttpClient& client, loop::Scheduler& scheduler, HttpRequest request,
           Done done)
      : parts_(std::move(parts)),
        client_(client),
        scheduler_(scheduler),
        request_(std::move(request)),
        done_(std::move(done)) {
    parts_->prepare(request_);
    begin();
  }

 private:
  void begin() {
    if (const auto added = parts_->add_headers_of_files(request_); !added)
      return fail_soon("no header to send: ", added.error());
    if (parts_->tokens != nullptr) return send_token();
    const auto authorization = parts_->authorization();
    if (!authorization) return fail_soon("no credentials to send: ", authorization.error());
    send(*authorization);
  }

  void send_token() {
    if (const std::string kept = parts_->tokens->kept(scheduler_.now()); !kept.empty()) return send(kept);
    fetched_ = true;
    token_ = std::make_unique<TokenRequest>(client_, scheduler_, *parts_->tokens, request_.deadline,
                                            [this](const base::Result<std::string>& header) {
                                              if (header) return send(*header);
                                              fail("no token from " + parts_->tokens->url() + ": ", header.error());
                                            });
  }

  void send(const std::string& authorization) {
    HttpRequest request = request_;
    // As in Go, the login of a URL goes before that of the configuration.
    if (!authorization.empty() && !encoding::names_user(request.url))
      request.headers.emplace_back("Authorization", authorization);
    pending_ = client_.request(std::move(request), [this](HttpResponse response) { on_answer(std::move(response)); });
  }

  void on_answer(HttpResponse response) {
    // A kept token that is refused may have been revoked: one fresh one is tried.
    if (parts_->tokens != nullptr && response.reason == model::Reason::none && response.status == 401) {
      pending_.reset();
      parts_->tokens->forget();
      if (!fetched_) return send_token();
    }
    const Done done = std::move(done_);
    done(std::move(response));
  }

  // May destroy this object.
  void fail(const std::string& before, base::Error error) {
    error.text = before + error.text;
    const Done done = std::move(done_);
    done(tl::unexpected<base::Error>(std::move(error)));
  }
  void fail_soon(const std::string& before, const base::Error& error) {
    pending_ = scheduler_.after({}, [this, before, error] { fail(before, error); });
  }

  std::shared_ptr<const Parts> parts_;
  HttpClient& client_;
  loop::Scheduler& scheduler_;
  HttpRequest request_;
  Done done_;
  bool fetched_ = false;  // a token, for this request
  std::unique_ptr<TokenRequest> token_;
  loop::Handle pending_;
};

ConfiguredClient::ConfiguredClient(HttpConfig config, const config::Node& node, const std::string& path,
                                   config::Errors& errors) {
  auto parts = std::make_shared<Parts>();
  // A redirect may lead from http to https: special settings are for both, the default ones need no context here.
  if (config.tls_config != net::TlsSettings{}) parts->tls = net::tls_context(config.tls_config, node, path, errors);
  if (config.oauth2)
    parts->tokens = std::make_unique<TokenSource>(*config.oauth2, node.find("oauth2"), path + ".oauth2", errors);
  parts->config = std::move(config);
  parts_ = std::move(parts);
}

bool ConfiguredClient::authenticates() const {
  const HttpConfig& config = parts_->config;
  return config.basic_auth || config.authorization || config.oauth2;
}

void ConfiguredClient::prepare(HttpRequest& request) const { parts_->prepare(request); }

loop::Handle ConfiguredClient::request(HttpClient& client, loop::Scheduler& scheduler, HttpRequest request,
                                       Done done) const {
  return loop::Handle(std::make_unique<Exchange>(parts_, client, scheduler, std::move(request), std::move(done)));
}

base::Result<std::string> ConfiguredClient::authorization() const { return parts_->authorization(); }
TokenSource* ConfiguredClient::tokens() const { return parts_->tokens.get(); }
base::KnownSecrets ConfiguredClient::learned() const {
  return parts_->tokens == nullptr ? base::KnownSecrets() : parts_->tokens->given();
}

}  // namespace http
