#include "store/series_index.h"

#include "base/hash.h"

namespace store {
namespace {

// Fingerprints of label sets that differ in a digit differ in few bits.
std::uint32_t hash_of(const model::Labels& labels) { return static_cast<std::uint32_t>(base::spread(labels.hash())); }

}  // namespace

std::optional<std::uint32_t> SeriesIndex::find(const model::Labels& labels) const {
  if (places_.empty()) return std::nullopt;
  const std::uint32_t hash = hash_of(labels);
  for (std::size_t at = home_of(hash); places_[at].id != kNobody; at = after(at))
    if (places_[at].hash == hash && labels_of_(places_[at].id) == labels) return places_[at].id;
  return std::nullopt;
}

void SeriesIndex::add(std::uint32_t id, const model::Labels& labels) {
  if (4 * (size_ + 1) > 3 * places_.size()) grow();
  put({id, hash_of(labels)});
  ++size_;
}

void SeriesIndex::put(Place place) {
  std::size_t at = home_of(place.hash);
  while (places_[at].id != kNobody) at = after(at);
  places_[at] = place;
}

void SeriesIndex::grow() {
  std::vector<Place> before(places_.empty() ? 16 : 2 * places_.size());
  before.swap(places_);
  for (const Place& place : before)
    if (place.id != kNobody) put(place);
}

void SeriesIndex::remove(std::uint32_t id, const model::Labels& labels) {
  std::size_t free = home_of(hash_of(labels));
  while (places_[free].id != id) free = after(free);
  places_[free] = {};
  --size_;
  // Those behind it that are not at home are put again: one of them may have wanted this place.
  for (std::size_t at = after(free); places_[at].id != kNobody; at = after(at)) {
    const Place place = std::exchange(places_[at], {});
    put(place);
  }
}

}  // namespace store
