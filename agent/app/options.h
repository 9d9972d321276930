// What `fettle agent` was started with.
#pragma once

#include <string>

namespace app {

struct AgentOptions {
  std::string config_file = "/etc/fettle/fettle.yml";
  std::string listen_address = ":10911";
  std::string web_config_file;
  std::string storage_path = "/var/lib/fettle";  // "": nothing is durable
  std::string admin_socket = "/run/fettle/admin.sock";
  std::string external_url;  // "": http://<node>:<port>/
};

}  // namespace app
