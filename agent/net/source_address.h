// The local address that a socket is to speak from, where a host has several. Used inside net/ only.
#pragma once

#include <string>

namespace net {

// Before connect(2). `literal` is an address of this host, "" leaves the choice to the kernel. False with errno set:
// the address is none of this host's, or of the other family.
bool bind_source(int fd, const std::string& literal);

}  // namespace net
