#include "store/series.h"

#include <algorithm>

namespace store {
namespace {
constexpr std::size_t kChunkBits =
    3968;  // with the last sample it fits into 64 words, which are read within microseconds
}

Series::Series(model::Labels labels) : labels_(std::move(labels)) {
  for (const model::Label& label : labels_)
    label_bytes_ += static_cast<std::uint32_t>(label.name.size() + label.value.size() + 16);
}

std::size_t Series::bytes() const {
  // Vectors of chunks keep some room; what they keep is near enough to what the chunks count themselves.
  return sizeof(Series) + label_bytes_ + sealed_bytes_ + open_.bytes();
}

void Series::append(model::Sample sample, std::int64_t longest) {
  recent_[next_] = sample;
  next_ = (next_ + 1) % kRecent;
  ++samples_;
  if (!open_.empty()) {
    const auto span = static_cast<std::uint64_t>(sample.t) - static_cast<std::uint64_t>(open_.first_t());
    const bool is_full = open_.bit_count() >= kChunkBits || span >= static_cast<std::uint64_t>(longest);
    if (!is_full || (open_.bit_count() == 0 && open_.expects(sample))) return open_.append(sample);
    sealed_.push_back(open_.sealed());
    sealed_bytes_ += static_cast<std::uint32_t>(sealed_.back().bytes());
  }
  open_.start(sample);
}

void Series::replace_newest(double value) {
  model::Sample& newest = recent_[(next_ + kRecent - 1) % kRecent];
  newest.v = value;
  open_.replace_last(value);
}

std::vector<Chunk>::const_iterator Series::first_from(std::int64_t from) const {
  return std::partition_point(sealed_.begin(), sealed_.end(), [&](const Chunk& c) { return c.last_t < from; });
}

void Series::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  if (const std::size_t kept = recent_count(); kept > 0 && from >= recent(kept - 1).t) {
    for (std::size_t age = kept; age-- > 0;)
      if (const model::Sample& sample = recent(age); sample.t >= from && sample.t <= to) out.push_back(sample);
    return;
  }
  for (auto chunk = first_from(from); chunk != sealed_.end() && chunk->first_t <= to; ++chunk)
    chunk->read(from, to, out);
  if (!open_.empty() && open_.first_t() <= to) open_.read(from, to, out);
}

bool Series::last_at(std::int64_t not_before, std::int64_t at, model::Sample& out) const {
  for (std::size_t age = 0; age < recent_count(); ++age) {
    if (recent(age).t > at) continue;
    out = recent(age);
    return out.t >= not_before;
  }
  if (!open_.empty() && open_.first_t() <= at) {
    out = open_.last_at(at);
    return out.t >= not_before;
  }
  const auto after =
      std::partition_point(sealed_.begin(), sealed_.end(), [&](const Chunk& c) { return c.first_t <= at; });
  if (after == sealed_.begin()) return false;
  const Chunk& chunk = *std::prev(after);
  if (chunk.last_t < not_before) return false;
  out = chunk.last_at(at);
  return out.t >= not_before;
}

std::vector<Chunk> Series::chunks(std::int64_t from, std::int64_t to) const {
  std::vector<Chunk> out;
  for (auto chunk = first_from(from); chunk != sealed_.end() && chunk->first_t <= to; ++chunk) out.push_back(*chunk);
  if (!open_.empty() && open_.first_t() <= to && open_.last_t() >= from) out.push_back(open_.sealed());
  return out;
}

Series::Extent Series::extent(std::int64_t from, std::int64_t to) const {
  Extent out;
  for (auto chunk = first_from(from); chunk != sealed_.end() && chunk->first_t <= to; ++chunk) {
    out.samples += chunk->count_between(from, to);
    out.bytes += sizeof(Chunk);  // the bits are shared
  }
  if (!open_.empty() && open_.first_t() <= to && open_.last_t() >= from) {
    out.samples += open_.count_between(from, to);
    out.bytes += sizeof(Chunk) + open_.bytes();
  }
  return out;
}

// Chunks hold differences of times behind their first.
void Series::shift(std::int64_t by) {
  for (Chunk& chunk : sealed_) {
    chunk.first_t += by;
    chunk.last_t += by;
  }
  open_.shift(by);
  for (model::Sample& sample : recent_) sample.t += by;
}

std::size_t Series::expire(std::int64_t cutoff) {
  const auto kept = first_from(cutoff);
  std::size_t gone = 0;
  for (auto chunk = sealed_.cbegin(); chunk != kept; ++chunk) {
    gone += chunk->count;
    sealed_bytes_ -= static_cast<std::uint32_t>(chunk->bytes());
  }
  sealed_.erase(sealed_.cbegin(), kept);
  if (!sealed_.empty()) {
    gone += sealed_.front().shorten(cutoff);
  } else if (!open_.empty() && open_.last_t() < cutoff) {
    gone += open_.count();
    open_.clear();
  } else if (!open_.empty()) {
    gone += open_.shorten(cutoff);
  }
  samples_ -= static_cast<std::uint32_t>(gone);
  return gone;
}

}  // namespace store
