#include "net/source_address.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/hosts_file.h"

namespace net {

bool bind_source(int fd, const std::string& literal) {
  if (literal.empty()) return true;
  const auto addresses = parse_literal(literal);
  if (addresses.empty()) {
    errno = EADDRNOTAVAIL;
    return false;
  }
  // The port is chosen by connect(2), which knows the other end: a thousand probes do not use up the ports of one.
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const Address& address = addresses.front();
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0;
}

}  // namespace net
