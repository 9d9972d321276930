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

// Spreads a hash over all of its bits (the finalizer of MurmurHash3): FNV-1a of names that differ in their last letter
// only differs in few, and taken modulo something they would lie close together.
constexpr std::uint64_t spread(std::uint64_t hash) {
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
  return hash ^ hash >> 33;
}

}  // namespace base
