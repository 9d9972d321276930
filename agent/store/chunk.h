// Samples of one series as bits. Most samples of an agent are as expected: the time goes on as before, and the value
// stays, or grows as before, as a counter of runs does. A row of them takes a few bits, however long it is, and none at
// the end of a chunk. Other values are told as whole numbers of the chunk's last decimal place while they are decimal
// (durations in nanoseconds are), else by the exclusive or of neighbours, as Facebook's Gorilla paper (VLDB 2015)
// describes it. Values come back bit for bit: a staleness marker, another NaN, -0. A sealed Chunk is never changed
// again, and its copies share its bits: it may be read on any thread, whatever the store does meanwhile. The one that
// is being filled is the loop thread's.
//
// Format. The first sample and the step of time behind it stand in the Chunk itself. Then, from the top of 64-bit
// words:
//   row      0 n:gamma                              n samples as expected
//   sample   1 time value                           after the last one all that are left are as expected
//   time     0 | 10 z:7 | 110 z:12 | 1110 z:20 | 1111 z:64    z = zigzag(step - step before), the shortest that holds
//   it value    of a decimal chunk, whose values are m / 10^e:
//            0 rice(zigzag(m - m before)) | 10 as expected | 110 e:4 number(zigzag(m)) | 111 bits:64 c
//            The last is what is not decimal: NaN, infinity (c = 0), or a fraction, whose chunk is not decimal from
//            here (c = 1).
//   value    of another, where x = bits ^ bits before:
//            0 as expected | 10 x:w in the w bits that the last 11 marked | 11 lead:5 (w-1):6 x:w
//   number   (w-1):6 z:w
//   rice     with k from the mean of those before: q ones, 0, k bits, where q = z >> k < 8; else eight ones, number(z)
//   gamma    as Elias has it: as many zeros as n has further bits, then n
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "model/sample.h"

namespace store {

// Where a series is after a sample, and so what is expected next: the reader and the writer of a chunk go by the same.
struct Track {
  std::uint64_t t = 0;
  std::uint64_t step = 0;  // of time
  std::uint64_t bits = 0;  // of the value
  std::uint64_t m = 0;     // the last decimal value is m / 10^exponent
  std::uint64_t rise = 0;  // of m, to the last
  std::uint64_t mean = 0;  // of what rice() was told
  std::uint8_t exponent = 0;
  std::uint8_t lead = 0, width = 0;  // of the bits that differed last; width 0: none did
  bool is_decimal = true;            // of the chunk, from here on
  bool is_odd = false;               // this value is none, in a decimal chunk

  std::uint64_t expected_bits() const;
  void go_on(std::uint64_t count = 1);  // by samples that are as expected
};

// Of a chunk, all but its bits. It says all of one that is a single row.
struct ChunkHead {
  std::int64_t first_t = 0;
  std::int64_t last_t = 0;
  std::uint64_t first_bits = 0;
  std::uint32_t first_step = 0;  // between the first two times, if the bits are to say nothing of it
  std::int32_t first_rise = 0;   // of the value, if both are whole numbers; the same
  std::uint32_t count = 0;
  std::uint32_t bit_count = 0;

  Track first() const;
  // How many samples a read of [from, to] may give: exactly, if the chunk is one row.
  std::size_t count_between(std::int64_t from, std::int64_t to) const;
  // Drops the samples before `cutoff` of a chunk that is one row, of which at least one is kept. Returns how many went.
  std::uint32_t shorten(std::int64_t cutoff);
  // The value of the n-th sample of a chunk that is one row, which may be the one that is expected next.
  std::uint64_t row_bits(std::uint32_t n) const;
};

struct Chunk : ChunkHead {
  std::shared_ptr<const std::uint64_t[]> words{};

  std::size_t word_count() const { return (bit_count + 63) / 64; }
  std::size_t bytes() const { return sizeof(Chunk) + word_count() * sizeof(std::uint64_t); }
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
  std::size_t bit_count() const { return head_.bit_count; }
  std::size_t bytes() const { return tail_ ? sizeof(Tail) + tail_->words.capacity() * sizeof(std::uint64_t) : 0; }
  bool expects(model::Sample next) const;  // it would cost nothing
  std::size_t count_between(std::int64_t from, std::int64_t to) const { return head_.count_between(from, to); }
  void read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const;
  model::Sample last_at(std::int64_t at) const;  // as Chunk's
  // The newest sample, and the one before it if it is in this chunk: most questions are about now. Unless empty().
  model::Sample newest() const;
  std::optional<model::Sample> before_newest() const;
  Chunk sealed() const;         // a copy of what is there
  void shift(std::int64_t by);  // in time
  // The same samples, the last with another value.
  void replace_last(double value);
  std::uint32_t shorten(std::int64_t cutoff) { return head_.shorten(cutoff); }  // as Chunk's

 private:
  // What writing needs beside the head. Most series are one row, for hours, and have none.
  struct Tail {
    std::vector<std::uint64_t> words{};
    Track track{};           // after the last sample
    model::Sample before{};  // the last but one
    std::uint32_t row = 0;   // samples at the end that are as expected, and not written yet
  };

  void note_second(std::uint64_t t, std::uint64_t bits);
  void write(std::uint64_t value, unsigned width);
  void write_number(std::uint64_t z);
  void write_row();
  void write_time(std::uint64_t t);
  void write_decimal(std::uint64_t bits);
  void write_difference(std::uint64_t bits);
  void write_rice(std::uint64_t z);

  ChunkHead head_;
  std::unique_ptr<Tail> tail_;  // null: one row, without a bit
};

}  // namespace store
