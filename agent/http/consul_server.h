// Where a Consul agent is and how it is asked: the keys that everything about Consul has.
#pragma once

#include <string>

#include "config/schema.h"
#include "http/http_config.h"
#include "http/json_api.h"

namespace http {

struct ConsulServer {
  std::string server = "localhost:8500";
  std::string scheme = "http";
  HttpConfig http;
};

const config::Schema<ConsulServer>& consul_server_schema();
// `node` is where the keys stand; mistakes that only the TLS library finds go to `errors`.
JsonApi consul_api(const ConsulServer& consul, const config::Node& node, const std::string& path,
                   config::Errors& errors, const std::string& path_prefix = "");

}  // namespace http
