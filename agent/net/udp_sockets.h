// The UDP sockets of this network namespace that take datagrams from anybody, asked of the kernel (sock_diag): no
// packet, no privilege, no wait.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "net/tcp_dump.h"

namespace net {

// Those on this port of their own, of both families, each with its receive buffer. Sockets that are connected to one
// peer are left out. Errors: the kernel does not offer sock_diag for UDP, the sandbox forbids AF_NETLINK, or memory is
// used up.
base::Result<std::vector<DiagSocket>> udp_sockets(std::uint16_t port);

}  // namespace net
