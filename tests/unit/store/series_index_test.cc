#include "store/series_index.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "base/random.h"

using model::Labels;

TEST_CASE("series are found by their labels while others come and go") {
  std::map<std::uint32_t, Labels> all;
  store::SeriesIndex index([&](std::uint32_t id) -> const Labels& { return all.at(id); });
  CHECK(index.find({{"a", "1"}}) == std::nullopt);
  const auto labels_of = [](std::uint32_t id) { return Labels{{"__name__", "m"}, {"i", std::to_string(id)}}; };
  base::Random random(1);
  for (int n = 0; n < 20'000; ++n) {
    const auto id = static_cast<std::uint32_t>(random.below(400));
    if (all.contains(id)) {
      index.remove(id, all.at(id));
      all.erase(id);
    } else {
      index.add(id, all.emplace(id, labels_of(id)).first->second);
    }
    REQUIRE(index.size() == all.size());
    if (n % 100 != 0) continue;
    for (std::uint32_t each = 0; each < 400; ++each) {
      const auto found = index.find(labels_of(each));
      REQUIRE(found.has_value() == all.contains(each));
      if (found) REQUIRE(*found == each);
    }
  }
}
