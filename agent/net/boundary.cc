#include "net/boundary.h"

#include <algorithm>

namespace net {

std::string keep_within(const Boundary* boundary, const std::string& host, std::uint16_t port,
                        std::vector<Address>& addresses) {
  if (boundary == nullptr) return "";
  std::string why;
  std::erase_if(addresses, [&](const Address& address) {
    const std::string refusal = boundary->refuses(host, port, address);
    if (!refusal.empty() && why.empty()) why = refusal;
    return !refusal.empty();
  });
  return addresses.empty() ? why : "";
}

}  // namespace net
