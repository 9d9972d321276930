// Which series has which labels: a hash table of ids, eight bytes for each place, that asks the series for its labels.
// Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "model/labels.h"

namespace store {

class SeriesIndex {
 public:
  // `labels_of` gives the labels of an id that is in here.
  using LabelsOf = std::function<const model::Labels&(std::uint32_t)>;
  explicit SeriesIndex(LabelsOf labels_of) : labels_of_(std::move(labels_of)) {}

  std::size_t size() const { return size_; }
  std::optional<std::uint32_t> find(const model::Labels& labels) const;
  void add(std::uint32_t id, const model::Labels& labels);     // it is not there yet
  void remove(std::uint32_t id, const model::Labels& labels);  // it is there

 private:
  static constexpr std::uint32_t kNobody = 0xffffffff;
  struct Place {
    std::uint32_t id = kNobody;
    std::uint32_t hash = 0;
  };

  std::size_t after(std::size_t at) const { return (at + 1) & (places_.size() - 1); }
  std::size_t home_of(std::uint32_t hash) const { return hash & (places_.size() - 1); }
  void put(Place place);
  void grow();

  LabelsOf labels_of_;
  // A power of two, a quarter of them free at least. Who finds his place taken has the next free one.
  std::vector<Place> places_;
  std::size_t size_ = 0;
};

}  // namespace store
