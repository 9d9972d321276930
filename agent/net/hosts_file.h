// /etc/hosts, read again only when it changed: names that need no packet. hosts(5).
#pragma once

#include <sys/stat.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "net/resolver.h"

namespace net {

class HostsFile {
 public:
  explicit HostsFile(std::string path) : path_(std::move(path)) {}
  // In the order of the file; empty if the name is not in it. `name` in lower case.
  std::vector<Address> find(const std::string& name, Family family);

 private:
  void reload_if_changed();
  std::string path_;
  struct timespec modified_ {};
  off_t size_ = -1;
  std::unordered_map<std::string, std::vector<Address>> names_;
};

// "192.0.2.1", "::1", "[::1]", "fe80::1%eth0"; empty for anything else.
std::vector<Address> parse_literal(const std::string& text);
// The same address with a port.
Address with_port(Address address, std::uint16_t port);
bool fits(const Address& address, Family family);

}  // namespace net
