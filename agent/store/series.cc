#include "store/series.h"

#include <algorithm>
#include <optional>

namespace store {
namespace {
constexpr std::size_t kChunkBits =
    3968;  // with the last sample it fits into 64 words, which are read within microseconds
constexpr std::size_t kMoreChunks = 2;
}  // namespace

void Series::append(model::Sample sample, std::int64_t longest) {
  ++samples_;
  if (!open_.empty()) {
    const auto span = static_cast<std::uint64_t>(sample.t) - static_cast<std::uint64_t>(open_.first_t());
    const bool is_full = open_.bit_count() >= kChunkBits || span >= static_cast<std::uint64_t>(longest);
    if (!is_full || (open_.bit_count() == 0 && open_.expects(sample))) return open_.append(sample);
    // A vector that doubles would have room for as many again.
    if (sealed_.size() == sealed_.capacity()) sealed_.reserve(sealed_.size() + kMoreChunks);
    sealed_.push_back(open_.sealed());
    sealed_bytes_ += static_cast<std::uint32_t>(sealed_.back().bytes());
  }
  open_.start(sample);
}

std::vector<Chunk>::const_iterator Series::first_from(std::int64_t from) const {
  return std::partition_point(sealed_.begin(), sealed_.end(), [&](const Chunk& c) { return c.last_t < from; });
}

void Series::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  if (empty()) return;
  // Most questions are about now: nothing is decoded for them.
  const model::Sample newest = open_.newest();
  const std::optional<model::Sample> before = open_.before_newest();
  if (from >= (before ? before->t : newest.t)) {
    if (before && before->t >= from && before->t <= to) out.push_back(*before);
    if (newest.t >= from && newest.t <= to) out.push_back(newest);
    return;
  }
  for (auto chunk = first_from(from); chunk != sealed_.end() && chunk->first_t <= to; ++chunk)
    chunk->read(from, to, out);
  if (open_.first_t() <= to) open_.read(from, to, out);
}

bool Series::last_at(std::int64_t not_before, std::int64_t at, model::Sample& out) const {
  if (empty()) return false;
  out = open_.newest();
  if (out.t <= at) return out.t >= not_before;
  if (const auto before = open_.before_newest(); before && before->t <= at) {
    out = *before;
    return out.t >= not_before;
  }
  if (open_.first_t() <= at) {
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
