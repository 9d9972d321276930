#include "promql/queryable.h"

#include <doctest/doctest.h>

using promql::MemoryQueryable;

TEST_CASE("series come out sorted by labels and samples by time, however they went in") {
  MemoryQueryable data({{{{"__name__", "up"}, {"job", "b"}}, {{20, 2}, {10, 1}}}});
  data.append({{"__name__", "up"}, {"job", "a"}}, {5, 7});
  data.append({{"__name__", "up"}, {"job", "b"}}, {15, 1.5});
  const auto found = data.select({model::Matcher::equal("__name__", "up")});
  REQUIRE(found.size() == 2);
  CHECK(found[0].labels.get("job") == "a");
  std::vector<model::Sample> samples;
  data.read(found[1].id, 10, 15, samples);
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].t == 10);
  CHECK(samples[1].v == 1.5);
}

TEST_CASE("the newest sample is looked for within both bounds") {
  const MemoryQueryable data({{{{"a", "b"}}, {{10, 1}, {20, 2}, {30, 3}}}});
  struct Row {
    std::int64_t not_before, at;
    double want;  // 0: none
  };
  for (const Row& row : {Row{0, 25, 2}, Row{20, 20, 2}, Row{21, 29, 0}, Row{0, 9, 0}, Row{0, 99, 3}, Row{31, 99, 0}}) {
    CAPTURE(row.not_before);
    CAPTURE(row.at);
    model::Sample direct;
    model::Sample by_reading;
    const bool found = data.last_at(0, row.not_before, row.at, direct);
    CHECK(found == (row.want != 0));
    CHECK(data.Queryable::last_at(0, row.not_before, row.at, by_reading) == found);
    if (found) CHECK(direct.v == row.want);
    if (found) CHECK(by_reading.v == row.want);
  }
}

TEST_CASE("the generation changes with the series, not with the samples, and is never another object's") {
  MemoryQueryable data;
  const auto before = data.generation();
  data.append({{"a", "b"}}, {1, 1});
  const auto one = data.generation();
  data.append({{"a", "b"}}, {2, 1});
  CHECK(one != before);
  CHECK(data.generation() == one);
  CHECK(MemoryQueryable().generation() != one);
}

TEST_CASE("of two samples of one series at one time the first stays") {
  promql::MemoryQueryable data;
  const model::Labels up{{"__name__", "up"}};
  for (const model::Sample sample : {model::Sample{1000, 1}, {2000, 2}, {1000, 3}, {2000, 2}}) data.append(up, sample);
  std::vector<model::Sample> got;
  data.read(0, 0, 3000, got);
  REQUIRE(got.size() == 2);
  CHECK(got[0].v == 1);
  CHECK(got[1].v == 2);
}
