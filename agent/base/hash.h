// FNV-1a, 64 bits: for phases, fingerprints and hash tables. Stable between runs and machines.
#pragma once

#include <cstdint>
#include <string_view>

namespace base {

inline constexpr std::uint64_t kFnvOffset = 14695981039346656037u;

constexpr std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = kFnvOffset) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

}  // namespace base
