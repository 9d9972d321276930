// About 120 samples of one series as bits: the difference of the differences of the times, and the exclusive or of
// neighbouring values, as Facebook's Gorilla paper (VLDB 2015) describes it. Values come back bit for bit: a staleness
// marker, another NaN, -0. A sealed Chunk is never changed again, and its copies share its bits: it may be read on any
// thread, whatever the store does meanwhile. The one that is being filled is the loop thread's.
//
// Format. The first sample stands in the Chunk itself. Each further one is a time, then a value:
//   time   z = zigzag(delta - previous delta), the delta before the first being 0
//          0 | 10 z:7 | 110 z:12 | 1110 z:20 | 1111 z:64            the shortest that holds z
//   value  x = bits ^ previous bits
//          0                                        x is 0
//          10 x:w                                   the w bits that the last 11 marked; the rest of x is 0
//          11 lead:5 (w-1):6 x:w                    x has `lead` zeros in front of its w bits, and zeros behind
// Bits fill 64-bit words from the top.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/sample.h"

namespace store {

struct Chunk {
  std::int64_t first_t = 0;
  std::int64_t last_t = 0;
  std::uint64_t first_bits = 0;
  std::uint32_t count = 0;
  std::uint32_t word_count = 0;
  std::shared_ptr<const std::uint64_t[]> words{};

  std::size_t bytes() const { return sizeof(Chunk) + word_count * sizeof(std::uint64_t); }
  // Appends the samples with from <= t <= to to `out`.
  void read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const;
  // The newest sample with t <= at; at >= first_t.
  model::Sample last_at(std::int64_t at) const;
};

// Fills one Chunk after the other; must be given only samples that are newer than the last.
class ChunkWriter {
 public:
  void start(model::Sample first);  // drops what it has
  void append(model::Sample sample);
  void clear() { *this = ChunkWriter{}; }

  bool empty() const { return head_.count == 0; }
  std::uint32_t count() const { return head_.count; }
  std::int64_t first_t() const { return head_.first_t; }
  std::int64_t last_t() const { return head_.last_t; }
  std::size_t bytes() const { return words_.capacity() * sizeof(std::uint64_t); }
  void read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const;
  model::Sample last_at(std::int64_t at) const;  // as Chunk's
  Chunk sealed() const;                          // a copy of what is there
  void shift(std::int64_t by);                   // in time

 private:
  void write(std::uint64_t value, unsigned width);
  void write_time(std::int64_t t);
  void write_value(std::uint64_t bits);

  Chunk head_;  // without words
  std::vector<std::uint64_t> words_;

  std::uint64_t delta_ = 0;
  std::uint64_t bits_ = 0;
  unsigned lead_ = 0;
  unsigned width_ = 0;  // 0: no window yet
  unsigned free_ = 0;   // unused bits in the last word
};

}  // namespace store
