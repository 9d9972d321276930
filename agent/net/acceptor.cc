#include "net/acceptor.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

namespace net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr int kBacklog = 4096;  // the kernel's own limit is net.core.somaxconn

base::Result<base::UniqueFd> listen_on(const sockaddr* address, socklen_t size) {
  base::UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno(errno, "socket");
  const int on = 1, off = 0;
  ::setsockopt(fd.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->sa_family == AF_INET6) ::setsockopt(fd.value(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd.value(), address, size) != 0) return base::fail_errno(errno, "bind");
  if (::listen(fd.value(), kBacklog) != 0) return base::fail_errno(errno, "listen");
  return fd;
}

// IPv4 first, as a name such as localhost stands for both.
base::Result<base::UniqueFd> listen_on_host(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), fmt::to_string(port).c_str(), &hints, &list); code != 0)
    return base::fail(base::Kind::not_found, fmt::format("{}: {}", host, ::gai_strerror(code)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> found(list, ::freeaddrinfo);
  base::Result<base::UniqueFd> first = base::fail(base::Kind::not_found, host + ": no address");
  bool tried = false;
  for (const int family : {AF_INET, AF_INET6})
    for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
      if (at->ai_family != family) continue;
      auto fd = listen_on(at->ai_addr, at->ai_addrlen);
      if (fd) return fd;
      if (!std::exchange(tried, true)) first = std::move(fd);
    }
  return first;
}

std::string text_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) ::inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
    else ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
  }
  return text.data();
}

std::optional<Peer> peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  Peer peer{credentials.uid, credentials.gid, credentials.pid, {}};
  socklen_t bytes = 0;  // the kernel says how many it needs
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) == 0 || errno != ERANGE) return peer;
  peer.groups.resize(bytes / sizeof(gid_t));
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) != 0) peer.groups.clear();
  return peer;
}

}  // namespace

base::Result<Acceptor> Acceptor::on_tcp(const std::string& host, std::uint16_t port) {
  if (!host.empty()) {
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    TRY(base::UniqueFd fd, listen_on_host(bracketed ? host.substr(1, host.size() - 2) : host, port));
    return Acceptor(std::move(fd));
  }
  sockaddr_in6 both{};
  both.sin6_family = AF_INET6;
  both.sin6_port = htons(port);
  if (auto fd = listen_on(reinterpret_cast<const sockaddr*>(&both), sizeof both)) return Acceptor(*std::move(fd));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  TRY(base::UniqueFd fd, listen_on(reinterpret_cast<const sockaddr*>(&v4), sizeof v4));
  return Acceptor(std::move(fd));
}

base::Result<Acceptor> Acceptor::on_unix(const std::string& path, unsigned mode) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return base::fail(base::Kind::invalid, fmt::format("a path of at most {} bytes", sizeof name.sun_path - 1));
  path.copy(name.sun_path, path.size());
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno(errno, "socket");
  if (::bind(fd.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return base::fail_errno(errno, "bind");
  // Nobody can connect before listen(), whatever the umask left.
  if (::chmod(path.c_str(), mode) != 0 || ::listen(fd.value(), kBacklog) != 0) return base::fail_errno(errno, path);
  return Acceptor(std::move(fd));
}

int Acceptor::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd_.value(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void Acceptor::start(loop::EventLoop& loop, std::function<bool()> may, std::function<void(Accepted)> take) {
  loop_ = &loop;
  may_ = std::move(may);
  take_ = std::move(take);
  watch();
}

void Acceptor::watch() {
  watch_ = loop_->watch(fd_.value(), {.read = true}, [this](loop::Ready) { accept_some(); });
}

void Acceptor::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!may_()) return pause();
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    base::UniqueFd fd(
        ::accept4(fd_.value(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      // A connection that was reset while it waited is none; what else goes wrong is a want of this process.
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno != EAGAIN) pause();
      return;
    }
    const int on = 1;
    if (address.ss_family != AF_UNIX) ::setsockopt(fd.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::optional<Peer> peer;
    if (address.ss_family == AF_UNIX) peer = peer_of(fd.value());
    take_({std::move(fd), text_of(address), std::move(peer)});
  }
}

void Acceptor::pause() {
  watch_.reset();
  pause_ = loop_->after(kPause, [this] { watch(); });
}

}  // namespace net
