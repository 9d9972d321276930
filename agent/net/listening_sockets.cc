#include "net/listening_sockets.h"

#include <utility>

#include "net/tcp_sockets.h"

namespace net {

bool ListeningSocket::takes(const std::string& literal) const {
  if (address == literal) return true;
  if (literal.find(':') != std::string::npos) return address == "::";
  return address == "0.0.0.0" || address == "::ffff:" + literal || (address == "::" && !v6_only);
}

base::Result<std::vector<ListeningSocket>> tcp_listening_sockets(std::uint16_t port) {
  TRY(std::vector<TcpSocket> sockets, tcp_sockets(TcpState::listen, port));
  std::vector<ListeningSocket> found;
  for (TcpSocket& each : sockets)
    found.push_back({std::move(each.address), each.port, each.receive_queue, each.send_queue, each.v6_only});
  return found;
}

}  // namespace net
