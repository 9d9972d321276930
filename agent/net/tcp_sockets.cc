#include "net/tcp_sockets.h"

#include <limits>

namespace net {

base::Result<std::vector<TcpSocket>> tcp_sockets(TcpState state, std::uint16_t port) {
  TcpDump::Question question{.states = {state}};
  if (port != 0) question.ports = {port};
  TRY(TcpDump dump, TcpDump::open(question));
  std::vector<TcpSocket> found;
  const auto take = [&found](const DiagSocket& each) {
    found.push_back({.address = each.address_text(),
                     .port = each.port,
                     .peer = each.peer_text(),
                     .peer_port = each.peer_port,
                     .user = each.user,
                     .inode = each.inode,
                     .cgroup = each.cgroup,
                     .receive_queue = each.receive_queue,
                     .send_queue = each.send_queue,
                     .v6_only = each.v6_only});
  };
  TRY_VOID(dump.read(std::numeric_limits<std::size_t>::max(), take));
  return found;
}

}  // namespace net
