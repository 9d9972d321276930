// What the types that read one document over HTTP have in common (prometheus, json, nginx): their keys, one GET, and
// the verdict on everything but the document.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "config/schema.h"
#include "http/configured_client.h"
#include "http/http_client.h"
#include "probe/common/values.h"
#include "probe/probe.h"

namespace probe {

struct FetchSettings {
  std::string url;
  std::map<std::string, std::string> headers;
  std::string unix_socket;
  IpProtocol ip_protocol;
  std::size_t body_limit = 1024 * 1024;
  http::HttpConfig client{.enable_http2 = false};
};

void check_fetch(const FetchSettings& fetch, const config::Complain& complain);

// Adds the keys to the schema of a type whose settings are derived from FetchSettings.
template <typename T>
void add_fetch_keys(config::Schema<T>& schema) {
  using Fetch = FetchSettings;
  schema.required("url", static_cast<std::string T::*>(&Fetch::url), "What to ask for, with http:// or https://.")
      .reach(config::Reach::listed, config::ValueFormat::url)
      .optional("headers", static_cast<std::map<std::string, std::string> T::*>(&Fetch::headers),
                "Headers of the request, by name.")
      .optional("unix_socket", static_cast<std::string T::*>(&Fetch::unix_socket),
                "Unix socket to connect to in place of the URL's host.")
      .reach(config::Reach::file, config::ValueFormat::path)
      .optional("ip_protocol", static_cast<IpProtocol T::*>(&Fetch::ip_protocol), "Addresses to use: any, ip4 or ip6.")
      .reach(config::Reach::listed)
      .optional("body_limit", static_cast<std::size_t T::*>(&Fetch::body_limit),
                "Longest body in bytes, unpacked; a longer one is too_large.")
      .inlined(static_cast<http::HttpConfig T::*>(&Fetch::client), http::http_client_schema())
      .check([](const T& settings, const config::Complain& complain) { check_fetch(settings, complain); });
}

// What is the same for all runs. References into it live as long as the settings.
struct FetchRequest {
  http::HttpRequest request;
  std::optional<http::ConfiguredClient> client;
};
FetchRequest fetch_request(const FetchSettings& settings, const config::Node& node, const std::string& path,
                           config::Errors& errors);

// What a run came to know to log in with: tokens, and the cookies of redirects.
base::KnownSecrets learned_by(const http::ConfiguredClient& client, const std::vector<std::string>& cookies);

class FetchProbe : public Probe {
 public:
  FetchProbe(const Context& context, const FetchRequest& request) : context_(context), request_(request) {}
  void start(base::Instant deadline, Done done) final;
  base::KnownSecrets learned() const final { return learned_by(*request_.client, cookies_); }

 protected:
  // The verdict on a document that came with a status of 2xx; with measurements.
  virtual model::Outcome judge(const http::HttpResponse& response) = 0;

 private:
  void on_answer(const http::HttpResponse& response);

  const Context& context_;
  const FetchRequest& request_;
  Done done_;
  std::vector<std::string> cookies_;
  loop::Handle pending_;
};

}  // namespace probe
