// What `fettle agent` was started with.
#pragma once

#include <cstddef>
#include <string>

#include "base/time.h"
#include "model/agent_defaults.h"
#include "promql/engine_options.h"
#include "web/server/server.h"

namespace app {

struct AgentOptions {
  std::string config_file = model::kConfigFile;
  std::string listen_address = web::ServerOptions{}.listen_address;
  std::string web_config_file;
  std::string storage_path = "/var/lib/fettle";  // "": nothing is durable
  std::string admin_socket = model::kAdminSocket;
  int max_queries = web::ServerOptions{}.max_queries;
  base::Millis query_timeout = promql::EngineOptions{}.timeout;
  std::size_t max_samples = promql::EngineOptions{}.max_samples;
  bool run_duration_histogram = true;  // probe_run_duration_seconds: seven series for each probe
  std::string external_url;            // "": http://<node>:<port>/, https with TLS
};

}  // namespace app
