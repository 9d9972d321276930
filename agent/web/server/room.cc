#include "web/server/room.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace web {

std::string Room::owner_of(std::string_view address) {
  if (address.empty() || address.starts_with("127.") || address == "::1") return "";
  in6_addr v6{};
  if (::inet_pton(AF_INET6, std::string(address).c_str(), &v6) != 1) return std::string(address);
  std::memset(&v6.s6_addr[8], 0, 8);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

bool Room::full_for(const std::string& owner) const {
  if (owner.empty()) return false;
  const auto at = by_owner_.find(owner);
  return at != by_owner_.end() && at->second >= std::max<std::size_t>(most_ / 4, 1);
}

void Room::enter(const std::string& owner) {
  ++open_;
  ++by_owner_[owner];
}

void Room::leave(const std::string& owner) {
  --open_;
  const auto at = by_owner_.find(owner);
  if (--at->second == 0) by_owner_.erase(at);
}

}  // namespace web
