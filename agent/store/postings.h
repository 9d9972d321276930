// Which series have which label: for every name and value the ids in ascending order. Answers a list of matchers by
// intersecting the short lists and asking the rest of each series that is left. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"

namespace store {

using SeriesIds = std::vector<std::uint32_t>;  // ascending

class Postings {
 public:
  void add(std::uint32_t id, const model::Labels& labels);
  void remove(std::uint32_t id, const model::Labels& labels);

  // The ids of all series that match; `labels_of` gives the labels of an id.
  SeriesIds find(const std::vector<model::Matcher>& matchers,
                 const std::function<const model::Labels&(std::uint32_t)>& labels_of) const;

 private:
  using Values = std::map<std::string, SeriesIds, std::less<>>;

  const Values* values_of(std::string_view name) const;
  SeriesIds with_one_of(const model::Matcher& matcher) const;

  std::map<std::string, Values, std::less<>> names_;
  SeriesIds all_;
};

}  // namespace store
