#include "net/udp_sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cerrno>
#include <limits>

#include "base/unique_fd.h"

namespace net {
namespace {

struct Request {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

}  // namespace

base::Result<std::vector<DiagSocket>> udp_sockets(std::uint16_t port) {
  constexpr const char* kWhat = "cannot ask the kernel for its UDP sockets";
  const base::UniqueFd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return base::fail_errno(errno, kWhat);
  std::vector<DiagSocket> found;
  for (const int family : {AF_INET, AF_INET6}) {
    Request request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.header.nlmsg_len = sizeof request;
    request.body.sdiag_family = static_cast<std::uint8_t>(family);
    request.body.sdiag_protocol = IPPROTO_UDP;
    request.body.idiag_ext = 1U << (INET_DIAG_SKMEMINFO - 1);
    // UDP has two of TCP's states: established of one that is connected, close of all others.
    request.body.idiag_states = 1U << static_cast<unsigned>(TcpState::close);
    request.body.id.idiag_sport = htons(port);
    if (::send(fd.value(), &request, sizeof request, 0) < 0) return base::fail_errno(errno, kWhat);
    TRY_VOID(read_dump(fd.value(), std::numeric_limits<std::size_t>::max(),
                       [&found](const DiagSocket& each) { found.push_back(each); }));
  }
  return found;
}

}  // namespace net
