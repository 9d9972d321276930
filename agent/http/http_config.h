// How a web server is asked, in Prometheus' words (https://prometheus.io/docs/prometheus/latest/configuration/,
// http_config): as whom, whom we trust, through which proxy, how far redirects are followed. One for probes, receivers
// and whatever else speaks HTTP. configured_client.h asks by it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/schema.h"
#include "http/authorization.h"
#include "http/oauth2.h"
#include "http/proxy_config.h"
#include "net/tls/tls.h"

namespace http {

// All lines of one header.
struct HeaderValues {
  std::vector<std::string> values;
  std::vector<base::Secret> secrets;
  std::vector<std::string> files;
};

struct HttpConfig {
  std::optional<BasicAuth> basic_auth{};
  std::optional<Authorization> authorization{};
  std::optional<OAuth2> oauth2{};
  net::TlsSettings tls_config{};
  ProxyConfig proxy{};
  bool follow_redirects = true;
  bool enable_http2 = true;
  std::vector<std::pair<std::string, HeaderValues>> http_headers{};
};

// The keys that stand in a probe itself, as in a module of the blackbox exporter: all but the headers and the version
// of HTTP, for which probes have their own.
const config::Schema<HttpConfig>& http_client_schema();
// All of them.
const config::Schema<HttpConfig>& http_config_schema();

}  // namespace http
