#include "http/proxy_config.h"

#include <cstdlib>

#include "base/ascii.h"
#include "config/request.h"

namespace http {
namespace {

std::string from_environment(const std::string& name) {
  for (const std::string& each : {name, base::lower_case(name)})
    if (const char* value = std::getenv(each.c_str()); value != nullptr && *value != '\0') return value;
  return "";
}

void check(const ProxyConfig& proxy, const config::Complain& complain) {
  if (const std::string why = config::proxy_complaint(proxy.proxy_url); !why.empty()) complain("proxy_url", why);
  const bool given = !proxy.proxy_url.empty();
  if (proxy.proxy_from_environment) {
    if (given) complain("proxy_url", "cannot stand beside proxy_from_environment");
    if (!proxy.no_proxy.empty()) complain("no_proxy", "cannot stand beside proxy_from_environment; set NO_PROXY there");
    for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY"})
      if (const std::string why = config::proxy_complaint(from_environment(name)); !why.empty())
        complain("proxy_from_environment", "finds a " + std::string(name) + " that " + why);
    return;
  }
  if (given) return;
  if (!proxy.no_proxy.empty()) complain("no_proxy", "means nothing without proxy_url");
  else if (!proxy.proxy_connect_header.all.empty()) complain("proxy_connect_header", "means nothing without proxy_url");
}

}  // namespace

const config::Schema<ProxyConfig>& proxy_schema() {
  static const auto schema =
      config::Schema<ProxyConfig>("proxy")
          .optional("proxy_url", &ProxyConfig::proxy_url,
                    "Proxy to ask. Empty: none; the environment is used only where proxy_from_environment says so.")
          .optional(
              "no_proxy", &ProxyConfig::no_proxy,
              "Hosts to ask without the proxy: names, addresses and networks, with commas between. With such a list "
              "this host itself is never asked through the proxy.")
          .optional("proxy_from_environment", &ProxyConfig::proxy_from_environment,
                    "Take the proxy from HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the agent's environment; this host "
                    "itself is then never asked through it.")
          .reach(config::Reach::file)
          .optional("proxy_connect_header", &ProxyConfig::proxy_connect_header,
                    "Headers for the proxy itself, when it is asked to CONNECT.")
          .check(check);
  return schema;
}

void set_proxy(const ProxyConfig& proxy, HttpRequest& request) {
  request.proxy = proxy.proxy_url;
  request.no_proxy = proxy.no_proxy;
  request.proxy_headers = proxy.proxy_connect_header.all;
  if (!proxy.proxy_from_environment) return;
  request.proxy = from_environment("HTTP_PROXY");
  request.https_proxy = from_environment("HTTPS_PROXY");
  request.no_proxy = from_environment("NO_PROXY");
  // As Go's programs have it, also where the list is empty.
  if (request.no_proxy.empty()) request.no_proxy = "localhost";
}

}  // namespace http
