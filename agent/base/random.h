// A small seedable generator (splitmix64): for jitter and identifiers, never for secrets.
#pragma once

#include <cstdint>
#include <string>

namespace base {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  static Random from_entropy();

  std::uint64_t next();
  double unit();                         // in [0, 1)
  std::uint64_t below(std::uint64_t n);  // in [0, n), n > 0
  std::string identifier();              // 32 hexadecimal digits

 private:
  std::uint64_t state_;
};

}  // namespace base
