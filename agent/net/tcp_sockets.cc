#include "net/tcp_sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace net {
namespace {

constexpr const char* kWhat = "cannot ask the kernel for its TCP sockets";

struct Question {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

// What follows a header.
const char* payload(const nlmsghdr* header) {
  return reinterpret_cast<const char*>(header) + NLMSG_ALIGN(sizeof(nlmsghdr));
}

std::string address_text(int family, const std::uint32_t* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, address, text.data(), text.size());
  return text.data();
}

void read_attributes(const nlmsghdr* header, TcpSocket& socket) {
  auto left = static_cast<int>(header->nlmsg_len - NLMSG_LENGTH(sizeof(inet_diag_msg)));
  const auto* attribute = reinterpret_cast<const rtattr*>(payload(header) + NLMSG_ALIGN(sizeof(inet_diag_msg)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == INET_DIAG_SKV6ONLY)
      socket.v6_only = *static_cast<const std::uint8_t*>(RTA_DATA(attribute)) != 0;
    if (attribute->rta_type == INET_DIAG_CGROUP_ID && RTA_PAYLOAD(attribute) == sizeof socket.cgroup)
      std::memcpy(&socket.cgroup, RTA_DATA(attribute), sizeof socket.cgroup);
  }
}

void read_socket(const nlmsghdr* header, std::uint16_t port, std::vector<TcpSocket>& found) {
  inet_diag_msg message{};
  std::memcpy(&message, payload(header), sizeof message);
  TcpSocket socket;
  socket.port = ntohs(message.id.idiag_sport);
  if (port != 0 && socket.port != port) return;
  socket.address = address_text(message.idiag_family, message.id.idiag_src);
  socket.peer = address_text(message.idiag_family, message.id.idiag_dst);
  socket.peer_port = ntohs(message.id.idiag_dport);
  socket.user = message.idiag_uid;
  socket.inode = message.idiag_inode;
  socket.receive_queue = message.idiag_rqueue;
  socket.send_queue = message.idiag_wqueue;
  read_attributes(header, socket);
  found.push_back(std::move(socket));
}

// The answers to one question, datagram by datagram. The kernel writes them while we read: there is nothing to wait
// for.
base::Result<> read_answers(int fd, std::uint16_t port, std::vector<TcpSocket>& found) {
  alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
  while (true) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return base::fail_errno(errno, kWhat);
    auto left = static_cast<unsigned>(size);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return {};
      if (header->nlmsg_type == NLMSG_ERROR) {
        nlmsgerr error{};
        std::memcpy(&error, payload(header), sizeof error);
        return base::fail_errno(-error.error, kWhat);
      }
      if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY && header->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg)))
        read_socket(header, port, found);
    }
  }
}

}  // namespace

base::Result<std::vector<TcpSocket>> tcp_sockets(TcpState state, std::uint16_t port) {
  const base::UniqueFd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return base::fail_errno(errno, kWhat);
  std::vector<TcpSocket> found;
  for (const int family : {AF_INET, AF_INET6}) {
    Question question;
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question.body.sdiag_family = static_cast<std::uint8_t>(family);
    question.body.sdiag_protocol = IPPROTO_TCP;
    question.body.idiag_states = 1U << (state == TcpState::listening ? TCP_LISTEN : TCP_ESTABLISHED);
    question.body.id.idiag_sport = htons(port);
    if (::send(fd.value(), &question, sizeof question, 0) < 0) return base::fail_errno(errno, kWhat);
    TRY_VOID(read_answers(fd.value(), port, found));
  }
  return found;
}

}  // namespace net
