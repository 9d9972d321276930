#include "http/consul_server.h"

#include <fmt/format.h>

#include "config/redact.h"
#include "config/request.h"

namespace http {

const config::Schema<ConsulServer>& consul_server_schema() {
  static const auto schema = [] {
    auto keys = config::Schema<ConsulServer>("consul_server")
                    .optional("server", &ConsulServer::server,
                              "HOST:PORT of a Consul agent; that of this node is the right one.")
                    .optional("scheme", &ConsulServer::scheme, "http or https.")
                    .inlined(&ConsulServer::http, http_config_schema())
                    .check([](const ConsulServer& consul, const config::Complain& complain) {
                      if (consul.scheme != "http" && consul.scheme != "https")
                        complain("scheme", "must be http or https");
                      const std::string url = "http://" + consul.server;
                      if (const std::string why = config::url_complaint(url, "http://localhost:8500"); !why.empty())
                        complain("server", fmt::format("'{}' {}", consul.server, why));
                    });
    keys.shows({"server", "scheme"});
    return keys;
  }();
  return schema;
}

JsonApi consul_api(const ConsulServer& consul, const config::Node& node, const std::string& path,
                   config::Errors& errors, const std::string& path_prefix) {
  ConfiguredClient client(consul.http, node, path, errors);
  return JsonApi({consul.scheme + "://" + consul.server + path_prefix, ""}, std::move(client),
                 config::secrets_of(node));
}

}  // namespace http
