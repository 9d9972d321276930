#include "store/series.h"

#include <algorithm>

namespace store {
namespace {
constexpr std::uint32_t kChunkSamples = 120;
}

Series::Series(model::Labels labels) : labels_(std::move(labels)) {
  for (const model::Label& label : labels_) label_bytes_ += label.name.size() + label.value.size() + 16;
}

std::size_t Series::bytes() const {
  // Vectors of chunks keep some room; what they keep is near enough to what the chunks count themselves.
  return sizeof(Series) + label_bytes_ + sealed_bytes_ + (chunks_.empty() ? 0 : chunks_.back().bytes());
}

void Series::append(model::Sample sample, std::int64_t longest) {
  recent_[next_] = sample;
  next_ = (next_ + 1) % kRecent;
  ++samples_;
  if (!chunks_.empty()) {
    Chunk& open = chunks_.back();
    const auto span = static_cast<std::uint64_t>(sample.t) - static_cast<std::uint64_t>(open.first_t);
    if (open.count < kChunkSamples && span < static_cast<std::uint64_t>(longest)) return writer_.append(open, sample);
    open.words.shrink_to_fit();
    sealed_bytes_ += open.bytes();
  }
  chunks_.push_back(writer_.start(sample));
}

void Series::replace_newest(double value) {
  model::Sample& newest = recent_[(next_ + kRecent - 1) % kRecent];
  newest.v = value;
  // Bits cannot be taken back: the open chunk is written anew.
  std::vector<model::Sample> samples;
  samples.reserve(chunks_.back().count);
  chunks_.back().read(chunks_.back().first_t, newest.t, samples);
  samples.back() = newest;
  chunks_.back() = writer_.start(samples.front());
  for (std::size_t i = 1; i < samples.size(); ++i) writer_.append(chunks_.back(), samples[i]);
}

void Series::read(std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  if (const std::size_t kept = recent_count(); kept > 0 && from >= recent(kept - 1).t) {
    for (std::size_t age = kept; age-- > 0;)
      if (const model::Sample& sample = recent(age); sample.t >= from && sample.t <= to) out.push_back(sample);
    return;
  }
  const auto first =
      std::partition_point(chunks_.begin(), chunks_.end(), [&](const Chunk& c) { return c.last_t < from; });
  for (auto chunk = first; chunk != chunks_.end() && chunk->first_t <= to; ++chunk) chunk->read(from, to, out);
}

bool Series::last_at(std::int64_t not_before, std::int64_t at, model::Sample& out) const {
  for (std::size_t age = 0; age < recent_count(); ++age) {
    if (recent(age).t > at) continue;
    out = recent(age);
    return out.t >= not_before;
  }
  const auto after =
      std::partition_point(chunks_.begin(), chunks_.end(), [&](const Chunk& c) { return c.first_t <= at; });
  if (after == chunks_.begin()) return false;
  const Chunk& chunk = *std::prev(after);
  if (chunk.last_t < not_before) return false;
  out = chunk.last_at(at);
  return out.t >= not_before;
}

// Chunks hold differences of times behind their first.
void Series::shift(std::int64_t by) {
  for (Chunk& chunk : chunks_) {
    chunk.first_t += by;
    chunk.last_t += by;
  }
  for (model::Sample& sample : recent_) sample.t += by;
}

std::size_t Series::expire(std::int64_t cutoff) {
  const auto kept =
      std::partition_point(chunks_.begin(), chunks_.end(), [&](const Chunk& c) { return c.last_t < cutoff; });
  std::size_t gone = 0;
  for (auto chunk = chunks_.begin(); chunk != kept; ++chunk) {
    gone += chunk->count;
    if (chunk + 1 != chunks_.end()) sealed_bytes_ -= chunk->bytes();
  }
  chunks_.erase(chunks_.begin(), kept);
  samples_ -= gone;
  return gone;
}

}  // namespace store
