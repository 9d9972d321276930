#include "store/chunk.h"

#include <algorithm>
#include <bit>

namespace store {
namespace {

// Times are subtracted and added without sign: any two 64-bit times have a difference, modulo 2^64.
std::uint64_t zigzag(std::uint64_t d) { return (d << 1) ^ (d >> 63 ? ~std::uint64_t{0} : 0); }
std::uint64_t unzigzag(std::uint64_t z) { return (z >> 1) ^ (z & 1 ? ~std::uint64_t{0} : 0); }

struct TimeCode {
  unsigned prefix, prefix_width, width;
};
constexpr TimeCode kTimeCodes[] = {{0b10, 2, 7}, {0b110, 3, 12}, {0b1110, 4, 20}, {0b1111, 4, 64}};

class Reader {
 public:
  explicit Reader(const Chunk& chunk)
      : words_(chunk.words.data()),
        left_(chunk.count),
        t_(static_cast<std::uint64_t>(chunk.first_t)),
        bits_(chunk.first_bits) {}

  bool next(model::Sample& out) {
    if (left_ == 0) return false;
    if (!first_) {
      read_time();
      read_value();
    }
    first_ = false;
    --left_;
    out = {static_cast<std::int64_t>(t_), std::bit_cast<double>(bits_)};
    return true;
  }

 private:
  std::uint64_t take(unsigned width) {
    const unsigned used = at_ % 64;
    const std::uint64_t* word = words_ + at_ / 64;
    std::uint64_t value = (*word << used) >> (64 - width);
    if (used + width > 64) value |= word[1] >> (128 - used - width);
    at_ += width;
    return value;
  }
  bool take_bit() { return take(1) != 0; }

  void read_time() {
    if (take_bit()) {
      unsigned code = 0;
      while (code < 3 && take_bit()) ++code;
      delta_ += unzigzag(take(kTimeCodes[code].width));
    }
    t_ += delta_;
  }

  void read_value() {
    if (!take_bit()) return;
    if (take_bit()) {
      const auto lead = static_cast<unsigned>(take(5));
      width_ = static_cast<unsigned>(take(6)) + 1;
      shift_ = 64 - lead - width_;
    }
    bits_ ^= take(width_) << shift_;
  }

  const std::uint64_t* words_;
  std::size_t at_ = 0;
  std::uint32_t left_;
  bool first_ = true;
  std::uint64_t t_;
  std::uint64_t delta_ = 0;
  std::uint64_t bits_;
  unsigned width_ = 0;
  unsigned shift_ = 0;
};

}  // namespace

void Chunk::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  Reader reader(*this);
  model::Sample sample;
  while (reader.next(sample) && sample.t <= to)
    if (sample.t >= from) out.push_back(sample);
}

model::Sample Chunk::last_at(std::int64_t at) const {
  Reader reader(*this);
  model::Sample found;
  for (model::Sample sample; reader.next(sample) && sample.t <= at;) found = sample;
  return found;
}

Chunk ChunkWriter::start(model::Sample first) {
  *this = ChunkWriter{};
  bits_ = std::bit_cast<std::uint64_t>(first.v);
  Chunk chunk;
  chunk.first_t = chunk.last_t = first.t;
  chunk.first_bits = bits_;
  chunk.count = 1;
  return chunk;
}

void ChunkWriter::append(Chunk& chunk, model::Sample sample) {
  write_time(chunk, sample.t);
  write_value(chunk, std::bit_cast<std::uint64_t>(sample.v));
  ++chunk.count;
}

void ChunkWriter::write(Chunk& chunk, std::uint64_t value, unsigned width) {
  if (free_ == 0) {
    chunk.words.push_back(0);
    free_ = 64;
  }
  if (width <= free_) {
    free_ -= width;
    chunk.words.back() |= value << free_;
    return;
  }
  const unsigned rest = width - free_;
  chunk.words.back() |= value >> rest;
  free_ = 64 - rest;
  chunk.words.push_back(value << free_);
}

void ChunkWriter::write_time(Chunk& chunk, std::int64_t t) {
  const std::uint64_t delta = static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(chunk.last_t);
  const std::uint64_t z = zigzag(delta - delta_);
  delta_ = delta;
  chunk.last_t = t;
  if (z == 0) return write(chunk, 0, 1);
  const auto fits = [z](const TimeCode& code) { return code.width == 64 || z >> code.width == 0; };
  const TimeCode& code = *std::find_if(std::begin(kTimeCodes), std::end(kTimeCodes), fits);
  write(chunk, code.prefix, code.prefix_width);
  write(chunk, z, code.width);
}

void ChunkWriter::write_value(Chunk& chunk, std::uint64_t bits) {
  const std::uint64_t x = bits ^ bits_;
  bits_ = bits;
  if (x == 0) return write(chunk, 0, 1);
  const unsigned lead = std::min(static_cast<unsigned>(std::countl_zero(x)), 31u);
  const auto trail = static_cast<unsigned>(std::countr_zero(x));
  if (width_ != 0 && lead >= lead_ && trail >= 64 - lead_ - width_) {
    write(chunk, 0b10, 2);
  } else {
    lead_ = lead;
    width_ = 64 - lead - trail;
    write(chunk, 0b11, 2);
    write(chunk, lead_, 5);
    write(chunk, width_ - 1, 6);
  }
  write(chunk, x >> (64 - lead_ - width_), width_);
}

}  // namespace store
