// One HTTP request over a TCP or unix socket, and the whole answer. Blocking; for servers under test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace fakes {

inline base::UniqueFd connect_tcp(int port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

inline base::UniqueFd connect_unix(const std::string& path) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

inline void send_all(const base::UniqueFd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// Until `end` has come or the server closed; everything if `end` is empty.
inline std::string receive(const base::UniqueFd& fd, std::string_view end = "") {
  std::string got;
  std::array<char, 4096> part{};
  while (end.empty() || got.find(end) == std::string::npos) {
    const ssize_t n = ::recv(fd.value(), part.data(), part.size(), 0);
    if (n <= 0) break;
    got.append(part.data(), static_cast<std::size_t>(n));
  }
  return got;
}

// `head`: request line and headers, without the empty line.
inline std::string http(const base::UniqueFd& fd, std::string_view head, std::string_view body = "") {
  send_all(fd, std::string(head) + "\r\nHost: test\r\nConnection: close\r\n\r\n" + std::string(body));
  return receive(fd);
}

}  // namespace fakes
