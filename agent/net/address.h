// An address to connect to, as the Resolver finds it.
#pragma once

#include <sys/socket.h>

#include <string>

namespace net {

// any, v4, v6: all addresses of the name, or those of one family. The others: one address, as the blackbox exporter
// chooses it: the first of the family; where it is only preferred and there is none, the last of the other family.
enum class Family { any, v4, v6, first_v4, first_v6, prefer_v4, prefer_v6 };

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;  // "127.0.0.1" or "::1", without the port
  bool is_v6() const { return storage.ss_family == AF_INET6; }
};

}  // namespace net
