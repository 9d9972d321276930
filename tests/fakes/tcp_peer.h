// A server on 127.0.0.1 with one blocking thread per connection, for peers that misbehave in ways that no library
// would. The client's reset ends whoever waits in read(); the destructor joins everybody.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace fakes {

// The peer's end of one connection.
class PeerSocket {
 public:
  explicit PeerSocket(int fd) : fd_(fd) {}
  int fd() const { return fd_.value(); }
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  // Until `end` has come, or the other side closed.
  std::string read_until(std::string_view end) const {
    std::string got;
    std::array<char, 4096> buffer{};
    while (got.find(end) == std::string::npos) {
      const ssize_t n = ::recv(fd(), buffer.data(), buffer.size(), 0);
      if (n <= 0) break;
      got.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return got;
  }
  std::string read_request() const { return read_until("\r\n\r\n"); }
  void wait_for_close() const {
    std::array<char, 4096> buffer{};
    while (::recv(fd(), buffer.data(), buffer.size(), 0) > 0) {
    }
  }
  void close() { fd_.reset(); }
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }

 private:
  base::UniqueFd fd_;
};

class TcpPeer {
 public:
  using Serve = std::function<void(PeerSocket&)>;
  explicit TcpPeer(Serve serve, int family = AF_INET, std::string unix_path = "")
      : serve_(std::move(serve)), unix_path_(std::move(unix_path)) {
    if (unix_path_.empty()) {
      port_ = bind_loopback(listener_, family);
    } else {
      listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      unix_path_.copy(address.sun_path, sizeof address.sun_path - 1);
      ::unlink(unix_path_.c_str());
      if (::bind(listener_.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    }
    if (::listen(listener_.value(), 128) != 0) std::abort();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~TcpPeer() {
    ::shutdown(listener_.value(), SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const auto& socket : open_) ::shutdown(socket->fd(), SHUT_RDWR);
    }
    for (auto& thread : threads_) thread.join();
    if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
  }

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url(std::string_view path = "/") const { return "http://" + address() + std::string(path); }
  int accepted() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(threads_.size());
  }

  static std::uint16_t bind_loopback(base::UniqueFd& fd, int family = AF_INET) {
    fd.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    const bool is_v6 = family == AF_INET6;
    if (::bind(fd.value(), is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4),
               is_v6 ? sizeof v6 : sizeof v4) != 0)
      std::abort();
    socklen_t size = sizeof v6;
    ::getsockname(fd.value(), reinterpret_cast<sockaddr*>(&v6), &size);
    return ntohs(v6.sin6_port);  // at the same place in both
  }
  // A port on which nobody listens, over TCP nor UDP, never the same twice: several of them are given to one server.
  // Somebody else may take it before that server does: see fakes::RealServer.
  static std::uint16_t dead_port() {
    static std::mutex mutex;
    static std::set<std::uint16_t> given;
    const std::lock_guard lock(mutex);
    for (;;) {
      base::UniqueFd fd;
      const std::uint16_t port = bind_loopback(fd);
      if (is_free_for_datagrams(port) && given.insert(port).second) return port;
    }
  }

 private:
  static bool is_free_for_datagrams(std::uint16_t port) {
    const base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::bind(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_.value(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const std::lock_guard lock(mutex_);
      auto socket = std::make_shared<PeerSocket>(fd);
      open_.push_back(socket);
      threads_.emplace_back([this, socket] {
        serve_(*socket);
        const std::lock_guard done(mutex_);
        socket->close();
      });
    }
  }

  Serve serve_;
  std::string unix_path_;
  base::UniqueFd listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<PeerSocket>> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace fakes
