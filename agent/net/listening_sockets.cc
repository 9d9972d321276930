#include "net/listening_sockets.h"

#include <utility>

#include "net/tcp_sockets.h"
#include "net/udp_sockets.h"

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
    found.push_back({.address = std::move(each.address),
                     .port = each.port,
                     .waiting = each.receive_queue,
                     .limit = each.send_queue,
                     .v6_only = each.v6_only});
  return found;
}

base::Result<std::vector<ListeningSocket>> udp_listening_sockets(std::uint16_t port) {
  TRY(const std::vector<DiagSocket> sockets, udp_sockets(port));
  std::vector<ListeningSocket> found;
  for (const DiagSocket& each : sockets) {
    const ReceiveBuffer buffer = each.buffer.value_or(ReceiveBuffer{});
    found.push_back({.address = each.address_text(),
                     .port = each.port,
                     .waiting = each.buffer ? buffer.bytes : each.receive_queue,
                     .limit = buffer.limit,
                     .v6_only = each.v6_only,
                     .udp = true,
                     .drops = buffer.drops});
  }
  return found;
}

}  // namespace net
