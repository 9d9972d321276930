// What `fettle agent` was started with.
#pragma once

#include <cstddef>
#include <string>

#include "base/time.h"

namespace app {

struct AgentOptions {
  std::string config_file = "/etc/fettle/fettle.yml";
  std::string listen_address = ":10911";
  std::string web_config_file;
  std::string storage_path = "/var/lib/fettle";  // "": nothing is durable
  std::string admin_socket = "/run/fettle/admin.sock";
  int max_queries = 20;
  base::Millis query_timeout{120'000};
  std::size_t max_samples = 50'000'000;
  std::string external_url;  // "": http://<node>:<port>/
};

}  // namespace app
