// How many connections there may be, from all addresses and from each. An IPv6 client owns a /64. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace web {

class Room {
 public:
  // A quarter of `most` for each address, but for this host: a proxy may stand for all.
  explicit Room(std::size_t most) : most_(most) {}

  // Whom a client's address counts for: itself, its /64, "" for this host.
  static std::string owner_of(std::string_view address);

  std::size_t most() const { return most_; }
  std::size_t open() const { return open_; }
  bool full() const { return open_ >= most_; }
  bool full_for(const std::string& owner) const;
  void enter(const std::string& owner);
  void leave(const std::string& owner);

 private:
  const std::size_t most_;
  std::size_t open_ = 0;
  std::map<std::string, std::size_t> by_owner_;
};

}  // namespace web
