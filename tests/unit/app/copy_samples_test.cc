#include "app/copy_samples.h"

#include <doctest/doctest.h>

using model::Labels;

TEST_CASE("a copy has each series once, over the widest span that any selector needs") {
  store::Store store{store::Options{}};
  const Labels up{{"__name__", "up"}, {"job", "a"}};
  const Labels other{{"__name__", "other"}};
  for (std::int64_t t = 0; t <= 10'000; t += 1000) {
    REQUIRE(store.append(up, {t, static_cast<double>(t)}).has_value());
    REQUIRE(store.append(other, {t, 0}).has_value());
  }
  promql::Needs narrow, wide;
  narrow.matchers = {model::Matcher::equal("__name__", "up")};
  narrow.before_ms = 1000;
  wide.matchers = {model::Matcher::equal("job", "a")};
  wide.before_ms = 4000;
  wide.after_ms = 1000;
  const auto copy = app::copy_samples(store, {narrow, wide}, 8000, 8000);
  REQUIRE(copy.has_value());
  const auto found = (*copy)->select({model::Matcher::equal("job", "a")});
  REQUIRE(found.size() == 1);
  CHECK(found[0].labels == up);
  std::vector<model::Sample> samples;
  (*copy)->read(found[0].id, 0, 100'000, samples);
  REQUIRE(samples.size() == 6);
  CHECK(samples.front().t == 4000);
  CHECK(samples.back().t == 9000);
  CHECK((*copy)->select({model::Matcher::equal("__name__", "other")}).empty());
}

TEST_CASE("an expression with @ needs everything there is") {
  store::Store store{store::Options{}};
  const Labels up{{"__name__", "up"}};
  for (std::int64_t t = 0; t < 5000; t += 1000) REQUIRE(store.append(up, {t, 1}).has_value());
  promql::Needs need;
  need.matchers = {model::Matcher::equal("__name__", "up")};
  need.absolute = true;
  const auto copy = app::copy_samples(store, {need}, 4000, 4000);
  REQUIRE(copy.has_value());
  std::vector<model::Sample> samples;
  (*copy)->read((*copy)->select(need.matchers)[0].id, 0, 100'000, samples);
  CHECK(samples.size() == 5);
}
