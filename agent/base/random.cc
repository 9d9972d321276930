#include "base/random.h"

#include <fmt/format.h>

#include <random>

namespace base {

Random Random::from_entropy() {
  std::random_device device;
  return Random((static_cast<std::uint64_t>(device()) << 32) | device());
}

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
std::uint64_t Random::below(std::uint64_t n) { return next() % n; }
std::string Random::identifier() { return fmt::format("{:016x}{:016x}", next(), next()); }

}  // namespace base
