#include "net/time_wait.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace net {
namespace {

// Two questions to the kernel for each and three calls before: all of them would cost a tenth of what a probe costs.
constexpr std::size_t kMostNoted = 16;

struct Ends {
  std::uint8_t family = 0;
  inet_diag_sockid id{};
};

std::vector<Ends>& noted() {
  static std::vector<Ends> all;
  return all;
}

// One end as sock_diag has it; false for what is no address of IP.
bool put(const sockaddr_storage& address, std::uint8_t& family, std::uint16_t& port, std::uint32_t* bytes) {
  family = static_cast<std::uint8_t>(address.ss_family);
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    port = v4.sin_port;
    bytes[0] = v4.sin_addr.s_addr;
    return true;
  }
  if (address.ss_family != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof v6);
  port = v6.sin6_port;
  std::memcpy(bytes, &v6.sin6_addr, sizeof v6.sin6_addr);
  return true;
}

struct Question {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

// Whether the kernel still has our end of this connection, and nobody owns it any more.
bool is_left_behind(int fd, const Ends& ends) {
  Question question;
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.body.sdiag_family = ends.family;
  question.body.sdiag_protocol = IPPROTO_TCP;
  question.body.idiag_states = ~0U;
  question.body.id = ends.id;
  question.body.id.idiag_cookie[0] = question.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(fd, &question, sizeof question, 0) < 0) return false;
  // One answer, written before send() returns: the connection, or the error that there is none.
  alignas(nlmsghdr) std::array<char, 4096> buffer;
  const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg)))) return false;
  nlmsghdr header{};
  std::memcpy(&header, buffer.data(), sizeof header);
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
  inet_diag_msg found{};
  std::memcpy(&found, buffer.data() + NLMSG_ALIGN(sizeof header), sizeof found);
  // A new connection between the same ends is somebody's; so is a listener at our port.
  return found.idiag_state == TCP_TIME_WAIT || found.idiag_state == TCP_FIN_WAIT1 ||
         found.idiag_state == TCP_FIN_WAIT2 || found.idiag_state == TCP_CLOSING || found.idiag_state == TCP_LAST_ACK;
}

}  // namespace

void note_closing(int fd) {
  if (noted().size() >= kMostNoted) return;
  sockaddr_storage ours{}, theirs{};
  socklen_t size = sizeof theirs;
  // Not connected, reset by the peer, or of another kind: nothing can be left of it.
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &size) != 0) return;
  size = sizeof ours;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&ours), &size) != 0) return;
  Ends ends;
  const bool ip = put(ours, ends.family, ends.id.idiag_sport, ends.id.idiag_src) &&
                  put(theirs, ends.family, ends.id.idiag_dport, ends.id.idiag_dst);
  int type = 0;
  size = sizeof type;
  if (!ip || ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return;
  noted().push_back(ends);
}

std::size_t count_left_behind() {
  const std::vector<Ends> closed = std::exchange(noted(), {});
  if (closed.empty()) return 0;
  const base::UniqueFd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return 0;
  std::size_t left = 0;
  for (const Ends& ends : closed)
    if (is_left_behind(fd.value(), ends)) ++left;
  return left;
}

}  // namespace net
