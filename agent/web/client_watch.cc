#include "web/client_watch.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <charconv>
#include <filesystem>
#include <string>

namespace web {
namespace {

int port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return -1;
}

bool is_between(int fd, int client_port, int server_port) {
  sockaddr_storage here{}, there{};
  socklen_t here_size = sizeof here, there_size = sizeof there;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 && port_of(there) == client_port &&
         ::getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 && port_of(here) == server_port;
}

// Two clients on different hosts may have the same port: then nobody is taken for gone.
int only_socket_between(int client_port, int server_port) {
  int found = -1;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (!is_between(fd, client_port, server_port)) continue;
    if (found >= 0) return -1;
    found = fd;
  }
  return found;
}

}  // namespace

bool ClientWatch::left() {
  if (!socket_) socket_ = only_socket_between(client_port_, server_port_);
  if (*socket_ < 0) return false;
  pollfd one{*socket_, POLLRDHUP, 0};
  return ::poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace web
