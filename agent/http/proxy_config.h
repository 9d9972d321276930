// Which proxy is asked, in Prometheus' words.
#pragma once

#include <string>

#include "config/schema.h"
#include "http/header_lines.h"
#include "http/http_client.h"

namespace http {

struct ProxyConfig {
  std::string proxy_url;
  std::string no_proxy;
  bool proxy_from_environment = false;
  HeaderLines proxy_connect_header;
};

const config::Schema<ProxyConfig>& proxy_schema();

// What a request is told of it. The environment is read here: HTTP_PROXY for http://, HTTPS_PROXY for https://,
// NO_PROXY, each in capitals or in small letters.
void set_proxy(const ProxyConfig& proxy, HttpRequest& request);

}  // namespace http
