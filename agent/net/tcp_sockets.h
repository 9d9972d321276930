// The TCP sockets of this network namespace, asked of the kernel (sock_diag): no connection, no privilege, no wait.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/tcp_dump.h"

namespace net {

struct TcpSocket {
  std::string address;  // its own: "0.0.0.0", "127.0.0.1", "::"
  std::uint16_t port = 0;
  std::string peer;  // "0.0.0.0" or "::" of one that listens
  std::uint16_t peer_port = 0;
  uid_t user = 0;
  std::uint64_t inode = 0;
  std::uint64_t cgroup = 0;         // id of the control group (version 2) of who made it; 0: the kernel does not say
  std::uint32_t receive_queue = 0;  // of one that listens: connections that wait to be accepted
  std::uint32_t send_queue = 0;     // of one that listens: the most that may wait
  bool v6_only = false;
};

// Those in one state, with this port of their own; 0: all. Errors: the kernel does not offer sock_diag, or has no
// memory.
base::Result<std::vector<TcpSocket>> tcp_sockets(TcpState state, std::uint16_t port = 0);

}  // namespace net
