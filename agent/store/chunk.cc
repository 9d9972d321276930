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
  Reader(const Chunk& chunk, const std::uint64_t* words)
      : words_(words), left_(chunk.count), t_(static_cast<std::uint64_t>(chunk.first_t)), bits_(chunk.first_bits) {}

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

void read_span(Reader reader, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) {
  model::Sample sample;
  while (reader.next(sample) && sample.t <= to)
    if (sample.t >= from) out.push_back(sample);
}

model::Sample read_last(Reader reader, std::int64_t at) {
  model::Sample found;
  for (model::Sample sample; reader.next(sample) && sample.t <= at;) found = sample;
  return found;
}

}  // namespace

void Chunk::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  read_span(Reader(*this, words.get()), from, to, out);
}
model::Sample Chunk::last_at(std::int64_t at) const { return read_last(Reader(*this, words.get()), at); }

void ChunkWriter::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  read_span(Reader(head_, words_.data()), from, to, out);
}
model::Sample ChunkWriter::last_at(std::int64_t at) const { return read_last(Reader(head_, words_.data()), at); }

Chunk ChunkWriter::sealed() const {
  Chunk out = head_;
  out.word_count = static_cast<std::uint32_t>(words_.size());
  const auto words = std::make_shared_for_overwrite<std::uint64_t[]>(words_.size());
  std::copy(words_.begin(), words_.end(), words.get());
  out.words = words;
  return out;
}

void ChunkWriter::shift(std::int64_t by) {
  head_.first_t += by;
  head_.last_t += by;
}

void ChunkWriter::start(model::Sample first) {
  words_.clear();
  delta_ = 0;
  lead_ = width_ = free_ = 0;
  bits_ = std::bit_cast<std::uint64_t>(first.v);
  head_ = {};
  head_.first_t = head_.last_t = first.t;
  head_.first_bits = bits_;
  head_.count = 1;
}

void ChunkWriter::append(model::Sample sample) {
  write_time(sample.t);
  write_value(std::bit_cast<std::uint64_t>(sample.v));
  ++head_.count;
}

void ChunkWriter::write(std::uint64_t value, unsigned width) {
  if (free_ == 0) {
    words_.push_back(0);
    free_ = 64;
  }
  if (width <= free_) {
    free_ -= width;
    words_.back() |= value << free_;
    return;
  }
  const unsigned rest = width - free_;
  words_.back() |= value >> rest;
  free_ = 64 - rest;
  words_.push_back(value << free_);
}

void ChunkWriter::write_time(std::int64_t t) {
  const std::uint64_t delta = static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(head_.last_t);
  const std::uint64_t z = zigzag(delta - delta_);
  delta_ = delta;
  head_.last_t = t;
  if (z == 0) return write(0, 1);
  const auto fits = [z](const TimeCode& code) { return code.width == 64 || z >> code.width == 0; };
  const TimeCode& code = *std::find_if(std::begin(kTimeCodes), std::end(kTimeCodes), fits);
  write(code.prefix, code.prefix_width);
  write(z, code.width);
}

void ChunkWriter::write_value(std::uint64_t bits) {
  const std::uint64_t x = bits ^ bits_;
  bits_ = bits;
  if (x == 0) return write(0, 1);
  const unsigned lead = std::min(static_cast<unsigned>(std::countl_zero(x)), 31u);
  const auto trail = static_cast<unsigned>(std::countr_zero(x));
  if (width_ != 0 && lead >= lead_ && trail >= 64 - lead_ - width_) {
    write(0b10, 2);
  } else {
    lead_ = lead;
    width_ = 64 - lead - trail;
    write(0b11, 2);
    write(lead_, 5);
    write(width_ - 1, 6);
  }
  write(x >> (64 - lead_ - width_), width_);
}

}  // namespace store
