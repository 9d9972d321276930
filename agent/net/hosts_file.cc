#include "net/hosts_file.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <sstream>

#include "base/ascii.h"
#include "base/file.h"

namespace net {

std::vector<Address> HostsFile::find(const std::string& name, Family family) {
  reload_if_changed();
  std::vector<Address> found;
  if (const auto known = names_.find(name); known != names_.end())
    std::copy_if(known->second.begin(), known->second.end(), std::back_inserter(found),
                 [&](const Address& address) { return fits(address, family); });
  return found;
}

void HostsFile::reload_if_changed() {
  struct stat now {};
  if (::stat(path_.c_str(), &now) != 0) {
    names_.clear();
    size_ = -1;
    return;
  }
  if (now.st_size == size_ && now.st_mtim.tv_sec == modified_.tv_sec && now.st_mtim.tv_nsec == modified_.tv_nsec)
    return;
  // What cannot be read now, for want of a descriptor, is tried again: an empty table would outlast the want.
  const auto text = base::read_file(path_);
  if (!text) return;
  size_ = now.st_size;
  modified_ = now.st_mtim;
  names_.clear();
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string address, name;
    words >> address;
    const auto literal = parse_literal(address);
    if (literal.empty()) continue;
    while (words >> name) {
      names_[base::lower_case(name)].push_back(literal.front());
    }
  }
}

std::vector<Address> parse_literal(const std::string& text) {
  Address address;
  if (in_addr v4{}; ::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    sockaddr_in sin{};
    sin.sin_family = AF_INET;
    sin.sin_addr = v4;
    std::memcpy(&address.storage, &sin, sizeof sin);
    address.size = sizeof sin;
    address.text = text;
    return {address};
  }
  if (text.find(':') == std::string::npos) return {};
  std::string bare = text;
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
  // The only part of getaddrinfo that asks nobody; it knows scopes.
  addrinfo hints{};
  hints.ai_family = AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(bare.c_str(), nullptr, &hints, &found) != 0) return {};
  // ::ffff:192.0.2.1 is an address of IPv4, as for Go: its packets are.
  if (const auto& v6 = reinterpret_cast<const sockaddr_in6&>(*found->ai_addr).sin6_addr; IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::array<char, INET_ADDRSTRLEN> v4{};
    ::inet_ntop(AF_INET, &v6.s6_addr[12], v4.data(), v4.size());
    ::freeaddrinfo(found);
    return parse_literal(v4.data());
  }
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  address.text = bare;
  ::freeaddrinfo(found);
  return {address};
}

Address with_port(Address address, std::uint16_t port) {
  if (address.is_v6()) reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
  else reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  return address;
}

bool fits(const Address& address, Family family) {
  switch (family) {
    case Family::v4:
    case Family::first_v4: return !address.is_v6();
    case Family::v6:
    case Family::first_v6: return address.is_v6();
    default: return true;
  }
}

}  // namespace net
