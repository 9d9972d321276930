#include "probe/common/endpoint.h"

#include <cstdint>

#include "config/request.h"
#include "net/stream.h"

namespace probe {

void check_endpoint(const EndpointSettings& server, const config::Complain& complain) {
  if (const std::string why = config::host_complaint(server.host); !why.empty()) complain("host", why);
  if (server.port < 1 || server.port > 65535) complain("port", "must be between 1 and 65535");
  if (!server.unix_socket.empty() && server.unix_socket[0] != '/') complain("unix_socket", "must be an absolute path");
  if (!server.unix_socket.empty() && server.tls) complain("tls", "is not offered on a unix socket");
}

void check_login(const LoginSettings& login, const config::Complain& complain) {
  if (!login.password.empty() && !login.password_file.empty())
    complain("password_file", "cannot stand beside password");
}

net::Dial dial_of(const EndpointSettings& server) {
  net::Dial dial;
  dial.unix_path = server.unix_socket;
  dial.host = server.host;
  dial.port = static_cast<std::uint16_t>(server.port);
  dial.family = server.ip_protocol.family;
  return dial;
}

std::string target_of(const EndpointSettings& server) {
  return server.unix_socket.empty() ? written(server.host, server.port) : server.unix_socket;
}

}  // namespace probe
