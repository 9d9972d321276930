// The TCP sockets of the node, as /proc/net/tcp and tcp6 list them (proc(5)): for everybody to read, without the
// process that owns one. Blocking, a microsecond a socket.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "os/unit_processes.h"

namespace os {

struct TcpSocket {
  std::string address;  // of this node, "127.0.0.1"
  std::uint16_t port = 0;
  std::string peer;  // "10.0.0.5"; of one that listens "0.0.0.0"
  std::uint16_t peer_port = 0;
  std::string_view state;     // ESTABLISHED, LISTEN …
  std::uint64_t to_send = 0;  // bytes
  std::uint64_t to_read = 0;  // bytes; of one that listens connections that wait for accept()
  uid_t user = 0;
  std::uint64_t inode = 0;
  bool listens() const { return state == "LISTEN"; }
};

// Without those in TIME_WAIT, which are no process's any more. At most `most` rows of each family are read: of a node
// with a million sockets the first ones.
std::vector<TcpSocket> tcp_sockets(const KernelFiles& files = {}, std::size_t most = 20'000);

}  // namespace os
