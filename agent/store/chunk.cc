#include "store/chunk.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

namespace store {
namespace {

// Times and whole numbers are subtracted and added without sign: any two have a difference, modulo 2^64.
std::uint64_t zigzag(std::uint64_t d) { return (d << 1) ^ (d >> 63 ? ~std::uint64_t{0} : 0); }
std::uint64_t unzigzag(std::uint64_t z) { return (z >> 1) ^ (z & 1 ? ~std::uint64_t{0} : 0); }

struct TimeCode {
  unsigned prefix, prefix_width, width;
};
constexpr TimeCode kTimeCodes[] = {{0b10, 2, 7}, {0b110, 3, 12}, {0b1110, 4, 20}, {0b1111, 4, 64}};

constexpr double kPowers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
constexpr unsigned kMostExponent = 12;
constexpr double kExact =
    9007199254740992;              // 2^53: whole numbers below it are doubles, and their quotients rounded once
constexpr unsigned kMostOnes = 8;  // of rice()

std::uint64_t bits_of(std::uint64_t m, unsigned exponent) {
  return std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<std::int64_t>(m)) / kPowers[exponent]);
}

struct Decimal {
  std::uint64_t m;
  unsigned exponent;
};

// The same value as m / 10^exponent with the smallest exponent from `least` on, if it is one to the last bit.
std::optional<Decimal> decimal_of(std::uint64_t bits, unsigned least) {
  const double v = std::bit_cast<double>(bits);
  for (unsigned exponent = least; exponent <= kMostExponent; ++exponent) {
    const double scaled = v * kPowers[exponent];
    if (!(std::abs(scaled) < kExact)) return std::nullopt;
    const auto m = static_cast<std::uint64_t>(std::llrint(scaled));
    if (bits_of(m, exponent) == bits) return Decimal{m, exponent};
  }
  return std::nullopt;
}

unsigned rice_bits(std::uint64_t mean) {
  return mean == 0 ? 0 : std::min(static_cast<unsigned>(std::bit_width(mean)) - 1, 50u);
}

// One that is far from the others must not make the next ones dear.
void learn(std::uint64_t& mean, std::uint64_t z) {
  if (mean == 0) mean = z;
  else mean = mean - mean / 8 + std::min(z / 8, mean > 1 ? mean * 2 : 2);
}

class Reader {
 public:
  Reader(const ChunkHead& head, const std::uint64_t* words)
      : words_(words), end_(head.bit_count), left_(head.count), track_(head.first()) {}

  bool next(model::Sample& out) {
    if (left_ == 0) return false;
    --left_;
    if (!started_) {
      started_ = true;
    } else if (row_ > 0) {
      --row_;
      track_.go_on();
    } else if (at_ == end_) {
      track_.go_on();
    } else if (!take_bit()) {
      row_ = take_gamma() - 1;
      track_.go_on();
    } else {
      const std::uint64_t expected = track_.expected_bits();
      read_time();
      track_.is_decimal ? read_decimal(expected) : read_difference();
    }
    out = current();
    return true;
  }

  // Goes on within a row as long as the next sample is before `time` too. False if there is nothing to go over.
  bool skip_row(std::int64_t time) {
    const std::uint64_t most = !started_ ? 0 : row_ > 0 ? row_ : at_ == end_ ? left_ : 0;
    const auto t = static_cast<std::int64_t>(track_.t);
    if (most == 0 || t >= time || track_.step == 0) return false;
    const std::uint64_t ahead = static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(t);
    const std::uint64_t count = std::min(most, (ahead - 1) / track_.step);
    if (count == 0) return false;
    if (row_ > 0) row_ -= count;
    left_ -= static_cast<std::uint32_t>(count);
    track_.go_on(count);
    return true;
  }
  model::Sample current() const { return {static_cast<std::int64_t>(track_.t), std::bit_cast<double>(track_.bits)}; }

 private:
  std::uint64_t take(unsigned width) {
    if (width == 0) return 0;
    const unsigned used = at_ % 64;
    const std::uint64_t* word = words_ + at_ / 64;
    std::uint64_t value = (*word << used) >> (64 - width);
    if (used + width > 64) value |= word[1] >> (128 - used - width);
    at_ += width;
    return value;
  }
  bool take_bit() { return take(1) != 0; }
  unsigned take_ones(unsigned most) {
    unsigned ones = 0;
    while (ones < most && take_bit()) ++ones;
    return ones;
  }
  std::uint64_t take_number() { return take(static_cast<unsigned>(take(6)) + 1); }
  std::uint64_t take_gamma() {
    unsigned further = 0;
    while (further < 63 && !take_bit()) ++further;
    return (std::uint64_t{1} << further) | take(further);
  }
  std::uint64_t take_rice() {
    const unsigned k = rice_bits(track_.mean);
    const unsigned ones = take_ones(kMostOnes);
    const std::uint64_t z = ones == kMostOnes ? take_number() : (std::uint64_t{ones} << k) | take(k);
    learn(track_.mean, z);
    return z;
  }

  void read_time() {
    if (take_bit()) track_.step += unzigzag(take(kTimeCodes[take_ones(3)].width));
    track_.t += track_.step;
  }

  void read_decimal(std::uint64_t expected) {
    switch (take_ones(3)) {
      case 0:
        track_.rise = unzigzag(take_rice());
        track_.m += track_.rise;
        break;
      case 1:
        if (!track_.is_odd) track_.m += track_.rise;
        track_.bits = expected;
        return;
      case 2:
        track_.exponent = static_cast<std::uint8_t>(take(4));
        track_.m = unzigzag(take_number());
        track_.rise = 0;
        break;
      default:
        track_.bits = take(64);
        track_.is_decimal = !take_bit();
        track_.is_odd = true;
        return;
    }
    track_.is_odd = false;
    track_.bits = bits_of(track_.m, track_.exponent);
  }

  void read_difference() {
    if (!take_bit()) return;
    if (take_bit()) {
      track_.lead = static_cast<std::uint8_t>(take(5));
      track_.width = static_cast<std::uint8_t>(take(6) + 1);
    }
    track_.bits ^= take(track_.width) << (64 - track_.lead - track_.width);
  }

  const std::uint64_t* words_;
  std::size_t at_ = 0;
  std::size_t end_;
  std::uint32_t left_;
  bool started_ = false;
  std::uint64_t row_ = 0;
  Track track_;
};

void read_span(Reader reader, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) {
  for (model::Sample sample; reader.next(sample) && sample.t <= to; reader.skip_row(from))
    if (sample.t >= from) out.push_back(sample);
}

model::Sample read_last(Reader reader, std::int64_t at) {
  model::Sample found;
  for (model::Sample sample; reader.next(sample) && sample.t <= at;) {
    const bool skipped = at < std::numeric_limits<std::int64_t>::max() && reader.skip_row(at + 1);
    found = skipped ? reader.current() : sample;
  }
  return found;
}

}  // namespace

std::uint64_t Track::expected_bits() const {
  return is_decimal && !is_odd && rise != 0 ? bits_of(m + rise, exponent) : bits;
}

void Track::go_on(std::uint64_t count) {
  t += count * step;
  if (!is_decimal || is_odd || rise == 0) return;
  m += count * rise;
  bits = bits_of(m, exponent);
}

Track ChunkHead::first() const {
  Track out;
  out.t = static_cast<std::uint64_t>(first_t);
  out.step = first_step;
  out.bits = first_bits;
  if (!std::isfinite(std::bit_cast<double>(first_bits))) {
    out.is_odd = true;
  } else if (const auto decimal = decimal_of(first_bits, 0)) {
    out.m = decimal->m;
    out.exponent = static_cast<std::uint8_t>(decimal->exponent);
    out.rise = static_cast<std::uint64_t>(std::int64_t{first_rise});
  } else {
    out.is_decimal = false;
  }
  return out;
}

void Chunk::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  read_span(Reader(*this, words.get()), from, to, out);
}
model::Sample Chunk::last_at(std::int64_t at) const { return read_last(Reader(*this, words.get()), at); }

std::size_t ChunkHead::count_between(std::int64_t from, std::int64_t to) const {
  if (last_t < from || first_t > to) return 0;
  if (bit_count > 0 || first_step == 0) return count;
  ChunkHead part = *this;
  part.shorten(from);
  if (part.first_t > to) return 0;
  const std::uint64_t span = static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(part.first_t);
  return std::min<std::size_t>(part.count, span / first_step + 1);
}

std::uint32_t ChunkHead::shorten(std::int64_t cutoff) {
  if (bit_count > 0 || first_t >= cutoff || first_step == 0) return 0;
  const Track at = first();
  const std::uint64_t before = static_cast<std::uint64_t>(cutoff) - static_cast<std::uint64_t>(first_t);
  const auto gone = std::min<std::uint64_t>((before + first_step - 1) / first_step, count - 1);
  if (first_rise != 0) {
    const std::uint64_t bits = bits_of(at.m + gone * at.rise, 0);
    if (!decimal_of(bits, 0)) return 0;  // beyond 2^53: a chunk that began there would not be decimal
    first_bits = bits;
  }
  first_t += static_cast<std::int64_t>(gone * first_step);
  count -= static_cast<std::uint32_t>(gone);
  return static_cast<std::uint32_t>(gone);
}

std::uint64_t ChunkHead::row_bits(std::uint32_t n) const {
  if (first_rise == 0) return first_bits;
  const auto m = static_cast<std::uint64_t>(std::llrint(std::bit_cast<double>(first_bits)));  // it is whole
  return bits_of(m + n * static_cast<std::uint64_t>(std::int64_t{first_rise}), 0);
}

void ChunkWriter::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  read_span(Reader(head_, tail_ ? tail_->words.data() : nullptr), from, to, out);
}
model::Sample ChunkWriter::last_at(std::int64_t at) const {
  return read_last(Reader(head_, tail_ ? tail_->words.data() : nullptr), at);
}

model::Sample ChunkWriter::newest() const {
  return {head_.last_t, std::bit_cast<double>(tail_ ? tail_->track.bits : head_.row_bits(head_.count - 1))};
}

std::optional<model::Sample> ChunkWriter::before_newest() const {
  if (head_.count < 2) return std::nullopt;
  if (tail_) return tail_->before;
  return model::Sample{head_.last_t - head_.first_step, std::bit_cast<double>(head_.row_bits(head_.count - 2))};
}

Chunk ChunkWriter::sealed() const {
  Chunk out{head_, {}};
  if (!tail_) return out;
  const auto words = std::make_shared_for_overwrite<std::uint64_t[]>(tail_->words.size());
  std::copy(tail_->words.begin(), tail_->words.end(), words.get());
  out.words = words;
  return out;
}

void ChunkWriter::shift(std::int64_t by) {
  head_.first_t += by;
  head_.last_t += by;
  if (!tail_) return;
  tail_->track.t += static_cast<std::uint64_t>(by);
  tail_->before.t += by;
}

void ChunkWriter::start(model::Sample first) {
  tail_.reset();
  head_ = {};
  head_.first_t = head_.last_t = first.t;
  head_.first_bits = std::bit_cast<std::uint64_t>(first.v);
  head_.count = 1;
}

bool ChunkWriter::expects(model::Sample next) const {
  const std::uint64_t step = tail_ ? tail_->track.step : head_.first_step;
  const std::uint64_t bits = tail_ ? tail_->track.expected_bits() : head_.row_bits(head_.count);
  return static_cast<std::uint64_t>(head_.last_t) + step == static_cast<std::uint64_t>(next.t) &&
         bits == std::bit_cast<std::uint64_t>(next.v);
}

void ChunkWriter::append(model::Sample sample) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(sample.v);
  const auto t = static_cast<std::uint64_t>(sample.t);
  if (head_.count == 1) note_second(t, bits);
  const bool is_expected = expects(sample);
  if (!is_expected && !tail_) {
    tail_ = std::make_unique<Tail>();
    tail_->row = head_.count - 1;
    tail_->track = head_.first();
    tail_->track.go_on(tail_->row);
  }
  if (tail_) tail_->before = newest();
  ++head_.count;
  head_.last_t = sample.t;
  if (is_expected) {
    if (!tail_) return;
    ++tail_->row;
    return tail_->track.go_on();
  }
  write_row();
  write(1, 1);
  Track& track = tail_->track;
  const bool is_value_expected = track.expected_bits() == bits;
  write_time(t);
  if (is_value_expected) {
    write(track.is_decimal ? 0b10 : 0, track.is_decimal ? 2 : 1);
    if (track.is_decimal && !track.is_odd) track.m += track.rise;
  } else if (track.is_decimal) {
    write_decimal(bits);
  } else {
    write_difference(bits);
  }
  track.bits = bits;
}

// What the head can hold of the way from the first sample to the second is expected of all.
void ChunkWriter::note_second(std::uint64_t t, std::uint64_t bits) {
  const Track first = head_.first();
  if ((t - first.t) >> 32 == 0) head_.first_step = static_cast<std::uint32_t>(t - first.t);
  if (!first.is_decimal || first.is_odd || first.exponent != 0) return;
  const auto second = decimal_of(bits, 0);
  const auto rise = second ? static_cast<std::int64_t>(second->m - first.m) : 0;
  if (second && second->exponent == 0 && rise == static_cast<std::int32_t>(rise))
    head_.first_rise = static_cast<std::int32_t>(rise);
}

void ChunkWriter::write(std::uint64_t value, unsigned width) {
  if (width == 0) return;
  const unsigned free = static_cast<unsigned>(tail_->words.size() * 64 - head_.bit_count);
  head_.bit_count += width;
  if (free == 0) {
    tail_->words.push_back(value << (64 - width));
  } else if (width <= free) {
    tail_->words.back() |= value << (free - width);
  } else {
    tail_->words.back() |= value >> (width - free);
    tail_->words.push_back(value << (64 - (width - free)));
  }
}

void ChunkWriter::write_number(std::uint64_t z) {
  const unsigned width = std::max(static_cast<unsigned>(std::bit_width(z)), 1u);
  write(width - 1, 6);
  write(z, width);
}

void ChunkWriter::write_row() {
  if (tail_->row == 0) return;
  const auto width = static_cast<unsigned>(std::bit_width(tail_->row));
  write(0, width);  // the mark of a row, and the zeros of gamma
  write(tail_->row, width);
  tail_->row = 0;
}

void ChunkWriter::write_time(std::uint64_t t) {
  const std::uint64_t step = t - tail_->track.t;
  const std::uint64_t z = zigzag(step - tail_->track.step);
  tail_->track.step = step;
  tail_->track.t = t;
  if (z == 0) return write(0, 1);
  const auto fits = [z](const TimeCode& code) { return code.width == 64 || z >> code.width == 0; };
  const TimeCode& code = *std::find_if(std::begin(kTimeCodes), std::end(kTimeCodes), fits);
  write(code.prefix, code.prefix_width);
  write(z, code.width);
}

void ChunkWriter::write_decimal(std::uint64_t bits) {
  const bool is_finite = std::isfinite(std::bit_cast<double>(bits));
  const auto decimal = is_finite ? decimal_of(bits, tail_->track.exponent) : std::nullopt;
  if (!decimal) {
    write(0b111, 3);
    write(bits, 64);
    write(is_finite ? 1 : 0, 1);
    tail_->track.is_decimal = !is_finite;
    tail_->track.is_odd = true;
    return;
  }
  tail_->track.is_odd = false;
  if (decimal->exponent == tail_->track.exponent) {
    tail_->track.rise = decimal->m - tail_->track.m;
    write(0, 1);
    write_rice(zigzag(tail_->track.rise));
  } else {
    write(0b110, 3);
    write(decimal->exponent, 4);
    write_number(zigzag(decimal->m));
    tail_->track.exponent = static_cast<std::uint8_t>(decimal->exponent);
    tail_->track.rise = 0;
  }
  tail_->track.m = decimal->m;
}

void ChunkWriter::write_rice(std::uint64_t z) {
  const unsigned k = rice_bits(tail_->track.mean);
  const std::uint64_t ones = z >> k;
  if (ones < kMostOnes) {
    write((std::uint64_t{1} << (ones + 1)) - 2, static_cast<unsigned>(ones) + 1);
    write(z & ((std::uint64_t{1} << k) - 1), k);
  } else {
    write((1u << kMostOnes) - 1, kMostOnes);
    write_number(z);
  }
  learn(tail_->track.mean, z);
}

void ChunkWriter::write_difference(std::uint64_t bits) {
  const std::uint64_t x = bits ^ tail_->track.bits;
  const auto lead = static_cast<unsigned>(std::min(std::countl_zero(x), 31));
  const auto trail = static_cast<unsigned>(std::countr_zero(x));
  if (tail_->track.width != 0 && lead >= tail_->track.lead && trail >= 64u - tail_->track.lead - tail_->track.width) {
    write(0b10, 2);
  } else {
    tail_->track.lead = static_cast<std::uint8_t>(lead);
    tail_->track.width = static_cast<std::uint8_t>(64 - lead - trail);
    write(0b11, 2);
    write(tail_->track.lead, 5);
    write(tail_->track.width - 1u, 6);
  }
  write(x >> (64u - tail_->track.lead - tail_->track.width), tail_->track.width);
}

void ChunkWriter::replace_last(double value) {
  // Bits cannot be taken back: all is written again.
  std::vector<model::Sample> samples;
  samples.reserve(head_.count);
  read(head_.first_t, head_.last_t, samples);
  samples.back().v = value;
  start(samples.front());
  for (std::size_t i = 1; i < samples.size(); ++i) append(samples[i]);
}

}  // namespace store
