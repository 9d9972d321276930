// Peers for tests on the real loop: one that answers every request with the same bytes and closes, from a thread of its
// own, and one that takes connections and never says a word.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace fakes {

inline base::UniqueFd listen_on_loopback(int& port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.value(), generic, size) != 0 || ::listen(fd.value(), 64) != 0 ||
      ::getsockname(fd.value(), generic, &size) != 0)
    std::abort();
  port = ntohs(address.sin_port);
  return fd;
}

inline base::UniqueFd listen_on_unix(const std::string& path) {
  ::unlink(path.c_str());
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(fd.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd.value(), 64) != 0)
    std::abort();
  return fd;
}

class LocalServer {
 public:
  explicit LocalServer(std::string answer)
      : answer_(std::move(answer)),
        listener_(listen_on_loopback(port_)),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        thread_([this] { serve(); }) {}
  // On a listener of the test's own, such as a unix socket; port() is 0.
  LocalServer(std::string answer, base::UniqueFd listener)
      : answer_(std::move(answer)),
        listener_(std::move(listener)),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        thread_([this] { serve(); }) {}
  ~LocalServer() {
    ::eventfd_write(stop_.value(), 1);
    thread_.join();
  }
  int port() const { return port_; }
  // The request lines so far, without the version of HTTP.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void note(std::string_view request) {
    const std::lock_guard lock(mutex_);
    requests_.emplace_back(request.substr(0, request.find(" HTTP/")));
  }
  void serve() {
    while (true) {
      pollfd wait[] = {{listener_.value(), POLLIN, 0}, {stop_.value(), POLLIN, 0}};
      if (::poll(wait, 2, -1) < 0 || wait[1].revents != 0) return;
      const base::UniqueFd peer(::accept4(listener_.value(), nullptr, nullptr, SOCK_CLOEXEC));
      char request[4096];
      const ssize_t size = ::recv(peer.value(), request, sizeof request, 0);
      if (size <= 0) continue;
      note({request, static_cast<std::size_t>(size)});
      ::send(peer.value(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }

  int port_ = 0;
  std::string answer_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  base::UniqueFd listener_;
  base::UniqueFd stop_;
  std::thread thread_;
};

// The kernel completes the connections; nobody takes them.
class SilentServer {
 public:
  SilentServer() : tcp_(listen_on_loopback(port_)) {
    char folder[] = "/tmp/fettle-silent-XXXXXX";
    if (::mkdtemp(folder) == nullptr) std::abort();
    folder_ = folder;
    unix_ = listen_on_unix(unix_path());
  }
  ~SilentServer() {
    ::unlink(unix_path().c_str());
    ::rmdir(folder_.c_str());
  }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  int port() const { return port_; }
  std::string unix_path() const { return folder_ + "/socket"; }

 private:
  int port_ = 0;
  base::UniqueFd tcp_;
  base::UniqueFd unix_;
  std::string folder_;
};

}  // namespace fakes
