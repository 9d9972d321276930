// A value at a time, and the marker that ends a series.
#pragma once

#include <bit>
#include <cstdint>

#include "model/labels.h"

namespace model {

struct Sample {
  std::int64_t t = 0;  // milliseconds since the Unix epoch
  double v = 0;
};

// Prometheus' staleness marker is one bit pattern of NaN; any other NaN is an ordinary value. Compare bits, never
// values, and never build with -ffast-math (prometheus model/value).
inline constexpr std::uint64_t kStaleBits = 0x7ff0000000000002u;
inline double stale_marker() { return std::bit_cast<double>(kStaleBits); }
inline bool is_stale(double v) { return std::bit_cast<std::uint64_t>(v) == kStaleBits; }

}  // namespace model
