// Who listens on a port and how full the queues are, asked of the kernel (sock_diag): no connection, no privilege, 20
// µs. A hung server shows at once, while connecting and sending to it still works.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace net {

struct ListeningSocket {
  std::string address;  // "0.0.0.0", "127.0.0.1", "::"
  std::uint16_t port = 0;
  std::uint32_t waiting = 0;  // connections that are not accepted yet; of UDP bytes that are not read
  std::uint32_t limit = 0;    // of listen(); of UDP the bytes of the receive buffer
  bool v6_only = false;       // of an IPv6 socket: takes no IPv4
  bool udp = false;
  std::uint32_t drops = 0;  // of UDP: datagrams that found no room, since the socket was made

  // The kernel queues one connection more than listen() was told.
  std::uint64_t places() const { return std::uint64_t{limit} + (udp ? 0 : 1); }
  double fill() const {  // part of the places
    return places() == 0 ? 0 : static_cast<double>(waiting) / static_cast<double>(places());
  }
  // Whether a connection to `literal` ("10.0.0.1", "::1") reaches it.
  bool takes(const std::string& literal) const;
};

// All sockets of this network namespace that listen on `port`; several with SO_REUSEPORT. Does not wait. Errors: the
// kernel does not offer sock_diag, or has no memory.
base::Result<std::vector<ListeningSocket>> tcp_listening_sockets(std::uint16_t port);
// The same of UDP: those that take datagrams from anybody.
base::Result<std::vector<ListeningSocket>> udp_listening_sockets(std::uint16_t port);

}  // namespace net
