// How far the connections of one run may go, where its target came from outside: asked where a name has become an
// address and nothing is sent yet, so that one rule holds for every protocol, every redirect and every address of a
// name. Each function says why not, or "". Loop thread.
#pragma once

#include <cstdint>
#include <string>

#include "net/resolver.h"

namespace net {

class Boundary {
 public:
  virtual ~Boundary() = default;
  // The URL of a request, or where a redirect leads, before anything is looked up.
  virtual std::string refuses_url(const std::string& url) const = 0;
  // `address` of `host`, which may be a literal itself. Port 0: a ping.
  virtual std::string refuses(const std::string& host, std::uint16_t port, const Address& address) const = 0;
  virtual std::string refuses_socket(const std::string& path) const = 0;
};

// Leaves of `addresses` those that may be connected to; "", or if none is left why not. Null: no boundary.
std::string keep_within(const Boundary* boundary, const std::string& host, std::uint16_t port,
                        std::vector<Address>& addresses);

}  // namespace net
