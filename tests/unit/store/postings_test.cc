#include "store/postings.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace {

using model::Labels;
using model::Matcher;
using model::MatchOp;

Matcher matcher(MatchOp op, std::string_view name, std::string_view value) {
  auto made = Matcher::make(op, name, value);
  REQUIRE(made.has_value());
  return *made;
}

struct Index {
  std::vector<Labels> all;
  store::Postings postings;

  void add(Labels labels) {
    postings.add(static_cast<std::uint32_t>(all.size()), labels);
    all.push_back(std::move(labels));
  }
  store::SeriesIds find(const std::vector<Matcher>& matchers) const {
    return postings.find(matchers, [this](std::uint32_t id) -> const Labels& { return all[id]; });
  }
};

}  // namespace

TEST_CASE("an absent label has the empty value") {
  Index index;
  index.add({{"__name__", "up"}, {"service", "order"}});
  index.add({{"__name__", "up"}, {"service", "payment"}, {"zone", "a"}});
  index.add({{"__name__", "down"}});
  struct Row {
    std::string name;
    std::vector<Matcher> matchers;
    store::SeriesIds want;
  };
  const std::vector<Row> rows = {
      {"no matcher", {}, {0, 1, 2}},
      {"equal", {matcher(MatchOp::equal, "__name__", "up")}, {0, 1}},
      {"equal and equal", {matcher(MatchOp::equal, "__name__", "up"), matcher(MatchOp::equal, "zone", "a")}, {1}},
      {"unknown value", {matcher(MatchOp::equal, "__name__", "x")}, {}},
      {"unknown name", {matcher(MatchOp::equal, "x", "x")}, {}},
      {"equal to nothing", {matcher(MatchOp::equal, "zone", "")}, {0, 2}},
      {"unequal", {matcher(MatchOp::not_equal, "service", "order")}, {1, 2}},
      {"unequal to nothing", {matcher(MatchOp::not_equal, "service", "")}, {0, 1}},
      {"alternatives", {matcher(MatchOp::matches, "service", "order|payment|order")}, {0, 1}},
      {"a pattern", {matcher(MatchOp::matches, "service", "p.+")}, {1}},
      {"a pattern that takes nothing too", {matcher(MatchOp::matches, "service", "(order)?")}, {0, 2}},
      {"an empty alternative", {matcher(MatchOp::matches, "service", "order|")}, {0, 2}},
      {"no pattern", {matcher(MatchOp::not_matches, "service", "o.*")}, {1, 2}},
      {"not nothing", {matcher(MatchOp::not_matches, "zone", "")}, {1}},
      {"a pattern on a name nobody has", {matcher(MatchOp::matches, "x", ".+")}, {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(index.find(row.matchers) == row.want);
  }
}

TEST_CASE("a removed series is found no more, its neighbours are") {
  Index index;
  for (const char* service : {"a", "b", "c"}) index.add({{"__name__", "up"}, {"service", service}});
  index.postings.remove(1, index.all[1]);
  CHECK(index.find({matcher(MatchOp::equal, "__name__", "up")}) == store::SeriesIds{0, 2});
  CHECK(index.find({matcher(MatchOp::matches, "service", ".+")}) == store::SeriesIds{0, 2});
  CHECK(index.find({}) == store::SeriesIds{0, 2});
}

TEST_CASE("random matchers find what a look at every series finds") {
  base::Random random(7);
  Index index;
  const auto word = [&](std::string_view letters) { return std::string(1, letters[random.below(letters.size())]); };
  for (int i = 0; i < 400; ++i)
    index.add({{"__name__", word("abc")},
               {"x", random.below(3) ? word("pqrstuvw") : ""},
               {"y", random.below(2) ? word("01") : ""}});
  const std::vector<std::string> patterns = {"a|b", "p|q|r", ".*", ".+", "", "[p-s]", "a", "0", "p|", "z"};
  for (int round = 0; round < 500; ++round) {
    std::vector<Matcher> matchers;
    std::string shown;
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      const std::vector<std::string> names = {"__name__", "x", "y", "none"};
      matchers.push_back(matcher(static_cast<MatchOp>(random.below(4)), names[random.below(4)],
                                 patterns[random.below(patterns.size())]));
      shown += matchers.back().to_string() + " ";
    }
    store::SeriesIds want;
    for (std::uint32_t id = 0; id < index.all.size(); ++id)
      if (model::matches_all(matchers, index.all[id])) want.push_back(id);
    CAPTURE(shown);
    REQUIRE(index.find(matchers) == want);
  }
}
