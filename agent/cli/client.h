// One HTTP request to a running agent, waited for: over the admin socket, or over TCP (--url).
#pragma once

#include <string>

#include "base/result.h"
#include "http/http_client.h"
#include "model/agent_defaults.h"

namespace cli {

// Whom a reading command asks. Without URL and file it is the admin socket, which works whatever TLS and logins the
// port has; where there is none, or its groups do not have the user, it is model::kAgentUrl.
struct AgentAddress {
  AgentAddress(std::string agent_url = "") : url(std::move(agent_url)) {}  // NOLINT(google-explicit-constructor)

  std::string url;               // may have a password in it: shown() has not
  std::string http_config_file;  // of a TCP connection: the keys of Prometheus' http_config
  std::string socket = model::kAdminSocket;

  bool is_over_tcp() const;
  std::string shown() const;  // for messages
};

// The body of a 2xx answer. Else an error that says who did not answer (unavailable), what it answered (not_found for
// 404, permission for 401 and 403, else invalid), or that the user may not open the socket (permission).
base::Result<std::string> get(const AgentAddress& agent, const std::string& path_and_query);
// Over the admin socket.
base::Result<std::string> ask_admin(const std::string& socket, const std::string& method,
                                    const std::string& path_and_query);

}  // namespace cli
