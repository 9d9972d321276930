#include "net/listening_sockets.h"

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

constexpr const char* kWhat = "cannot ask the kernel who listens";

struct Question {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

// What follows a header.
const char* payload(const nlmsghdr* header) {
  return reinterpret_cast<const char*>(header) + NLMSG_ALIGN(sizeof(nlmsghdr));
}

ListeningSocket listener_of(const nlmsghdr* header) {
  inet_diag_msg message{};
  std::memcpy(&message, payload(header), sizeof message);
  ListeningSocket listener;
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(message.idiag_family, &message.id.idiag_src[0], text.data(), text.size());
  listener.address = text.data();
  listener.port = ntohs(message.id.idiag_sport);
  listener.waiting = message.idiag_rqueue;
  listener.limit = message.idiag_wqueue;

  auto left = static_cast<int>(header->nlmsg_len - NLMSG_LENGTH(sizeof message));
  const auto* attribute = reinterpret_cast<const rtattr*>(payload(header) + NLMSG_ALIGN(sizeof message));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
    if (attribute->rta_type == INET_DIAG_SKV6ONLY)
      listener.v6_only = *static_cast<const std::uint8_t*>(RTA_DATA(attribute)) != 0;
  return listener;
}

// The answers to one question, datagram by datagram. The kernel writes them while we read: there is nothing to wait
// for.
base::Result<> read_answers(int fd, std::uint16_t port, std::vector<ListeningSocket>& found) {
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
      if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg)))
        continue;
      ListeningSocket listener = listener_of(header);
      if (listener.port == port) found.push_back(std::move(listener));
    }
  }
}

}  // namespace

bool ListeningSocket::takes(const std::string& literal) const {
  if (address == literal) return true;
  if (literal.find(':') != std::string::npos) return address == "::";
  return address == "0.0.0.0" || address == "::ffff:" + literal || (address == "::" && !v6_only);
}

base::Result<std::vector<ListeningSocket>> tcp_listening_sockets(std::uint16_t port) {
  const base::UniqueFd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return base::fail_errno(errno, kWhat);
  std::vector<ListeningSocket> found;
  for (const int family : {AF_INET, AF_INET6}) {
    Question question;
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question.body.sdiag_family = static_cast<std::uint8_t>(family);
    question.body.sdiag_protocol = IPPROTO_TCP;
    question.body.idiag_states = 1U << TCP_LISTEN;
    question.body.id.idiag_sport = htons(port);
    if (::send(fd.value(), &question, sizeof question, 0) < 0) return base::fail_errno(errno, kWhat);
    TRY_VOID(read_answers(fd.value(), port, found));
  }
  return found;
}

}  // namespace net
