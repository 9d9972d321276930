// An address to connect to, as the Resolver finds it.
#pragma once

#include <sys/socket.h>

#include <string>

namespace net {

enum class Family { any, v4, v6 };

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;  // "127.0.0.1" or "::1", without the port
  bool is_v6() const { return storage.ss_family == AF_INET6; }
};

}  // namespace net
