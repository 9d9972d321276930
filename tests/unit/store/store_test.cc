#include "store/store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"

namespace {

using model::Labels;
using model::Sample;
using store::Store;

std::string text(const std::vector<Sample>& samples) {
  std::string out;
  for (const Sample& s : samples)
    out += std::to_string(s.t) + "=" + std::to_string(std::bit_cast<std::uint64_t>(s.v)) + " ";
  return out;
}

std::vector<Sample> read(const Store& store, store::SeriesId id, std::int64_t from, std::int64_t to) {
  std::vector<Sample> out;
  store.read(id, from, to, out);
  return out;
}

constexpr base::Millis kTwoHours{7'200'000};
const Labels kUp = {{"__name__", "up"}, {"service", "order"}};

}  // namespace

TEST_CASE("samples go in in order of time, and what is older is refused and counted") {
  Store store({.retention = kTwoHours, .max_series = 20'000});
  CHECK(store.append(kUp, {1000, 1}).has_value());
  CHECK(store.append(kUp, {2000, 2}).has_value());
  CHECK(store.append(kUp, {2000, 2}).has_value());
  const auto older = store.append(kUp, {1000, 3});
  REQUIRE_FALSE(older.has_value());
  CHECK(older.error().kind == base::Kind::invalid);
  CHECK(older.error().text ==
        "the sample of up{service=\"order\"} at 1970-01-01T00:00:01Z is older than the last one, at "
        "1970-01-01T00:00:02Z");
  CHECK_FALSE(store.append(kUp, {1999, 2}).has_value());
  const store::Stats stats = store.stats();
  CHECK(stats.samples == 2);
  CHECK(stats.appended == 2);
  CHECK(stats.refused_old == 2);
  CHECK(stats.series == 1);
  CHECK(stats.bytes > 0);
}

TEST_CASE("of two samples of the same millisecond the later word holds, wherever it stands in its chunk") {
  Store store({.retention = kTwoHours, .max_series = 20'000});
  std::vector<model::Sample> wanted;
  for (int i = 0; i < 300; ++i) {
    const std::int64_t t = 1000 + i * 700 + i % 7;
    REQUIRE(store.append(kUp, {t, 1.0 / (i + 1)}).has_value());
    REQUIRE(store.append(kUp, {t, i % 3 == 0 ? model::stale_marker() : i * 0.1}).has_value());
    wanted.push_back({t, i % 3 == 0 ? model::stale_marker() : i * 0.1});
    if (i % 5 == 0) {  // and once more
      REQUIRE(store.append(kUp, {t, -1.0 * i}).has_value());
      wanted.back().v = -1.0 * i;
    }
    const std::vector<model::Sample> found = read(store, *store.series(kUp), 0, 1'000'000);
    REQUIRE(found.size() == wanted.size());
    for (std::size_t j = 0; j < found.size(); ++j) {
      REQUIRE(found[j].t == wanted[j].t);
      REQUIRE(std::bit_cast<std::uint64_t>(found[j].v) == std::bit_cast<std::uint64_t>(wanted[j].v));
    }
  }
  CHECK(store.stats().samples == 300);
  CHECK(store.stats().appended == 300);
  CHECK(store.stats().refused_old == 0);
}

TEST_CASE("no more series than allowed, and the old ones go on") {
  Store store({.retention = base::Millis{60'000}, .max_series = 2});
  CHECK(store.append({{"a", "1"}}, {1, 1}).has_value());
  CHECK(store.append({{"a", "2"}}, {1, 1}).has_value());
  const auto third = store.append({{"a", "3"}}, {1, 1});
  REQUIRE_FALSE(third.has_value());
  CHECK(third.error().kind == base::Kind::limit);
  CHECK(third.error().text == "no room for {a=\"3\"}: storage.max_series is 2");
  CHECK(store.append({{"a", "2"}}, {2, 1}).has_value());
  CHECK(store.stats().refused_limit == 1);
}

namespace {

Labels measured(int i) { return {{"__name__", "m"}, {"i", std::to_string(i)}}; }

// "0 3 5": the series of measured(), by their numbers.
std::string kept(const Store& store) {
  std::string out;
  for (int i = 0; i < 100; ++i)
    if (store.find(measured(i))) out += (out.empty() ? "" : " ") + std::to_string(i);
  return out;
}

// Appends a sample to the series of a writer, which may be new; false if it is refused.
bool append(Store& store, store::Writer writer, int i, std::int64_t t, double v = 1) {
  const auto id = store.series(measured(i), writer);
  return id && store.append(*id, {t, v}).has_value();
}

}  // namespace

TEST_CASE("measured series leave a tenth to the others, and go where health needs more") {
  Store store({.retention = kTwoHours, .max_series = 20});
  const store::Writer few = store.add_writer("few"), many = store.add_writer("many");
  CHECK(append(store, few, 0, 1));
  for (int i = 1; i < 18; ++i) CHECK(append(store, many, i, 1));
  CHECK_FALSE(append(store, many, 18, 1));
  CHECK_FALSE(append(store, few, 19, 1));
  CHECK(append(store, many, 17, 2));  // what is there goes on
  for (int i = 0; i < 12; ++i) CHECK(store.append({{"own", std::to_string(i)}}, {1, 1}).has_value());
  CHECK(store.stats().series == 20);
  CHECK(store.stats().evicted == 10);
  CHECK(store.stats().lost == 10);
  CHECK(store.stats().refused_limit == 2);
  CHECK(store.find(measured(0)).has_value());  // of those with the most series, one each
  for (int i = 12; i < 20; ++i) CHECK(store.append({{"own", std::to_string(i)}}, {1, 1}).has_value());
  CHECK(kept(store) == "");
  CHECK_FALSE(store.append({{"own", "20"}}, {1, 1}).has_value());
  CHECK_FALSE(append(store, few, 0, 3));
}

TEST_CASE("series that have ended make room, the oldest first, whoever's they are") {
  Store store({.retention = kTwoHours, .max_series = 10});
  const store::Writer a = store.add_writer("a"), b = store.add_writer("b");
  for (int i = 0; i < 9; ++i) CHECK(append(store, i < 4 ? a : b, i, 1));
  CHECK(append(store, a, 2, 20, model::stale_marker()));
  CHECK(append(store, b, 7, 10, model::stale_marker()));
  CHECK(append(store, b, 8, 5, model::stale_marker()));
  CHECK(append(store, b, 8, 30));  // lives again
  CHECK(append(store, a, 20, 40));
  CHECK(kept(store) == "0 1 2 3 4 5 6 8 20");
  store.shift(-1'000'000);
  CHECK(append(store, b, 21, 41));
  CHECK(kept(store) == "0 1 3 4 5 6 8 20 21");
  CHECK_FALSE(append(store, b, 22, 42));
  CHECK(store.stats().evicted == 2);
  CHECK(store.stats().samples == 11);
  // A series of health that has ended is worth less than one that lives.
  CHECK(store.append({{"own", "1"}}, {1, model::stale_marker()}).has_value());
  CHECK(store.append({{"own", "2"}}, {1, 1}).has_value());
  CHECK_FALSE(store.find({{"own", "1"}}).has_value());
  CHECK(kept(store) == "0 1 3 4 5 6 8 20 21");
}

TEST_CASE("a writer whose series come and go keeps the newest of its own, and the others keep theirs") {
  Store store({.retention = kTwoHours, .max_series = 20'000});
  const store::Writer churning = store.add_writer("churning"), quiet = store.add_writer("quiet");
  CHECK(append(store, quiet, 0, 1));
  CHECK(append(store, quiet, 0, 2, model::stale_marker()));
  std::int64_t t = 10;
  for (int run = 0; run < 20; ++run, t += 10) {
    for (int i = 0; i < 400; ++i) CHECK(append(store, churning, 1000 + run * 400 + i, t));
    if (run > 0)
      for (int i = 0; i < 400; ++i)
        CHECK(append(store, churning, 1000 + (run - 1) * 400 + i, t, model::stale_marker()));
  }
  CHECK(store.writer(churning).series == store::kMostOfWriter);
  CHECK(store.stats().series == store::kMostOfWriter + 1);
  CHECK(store.find(measured(1000 + 20 * 400 - 1)).has_value());
  CHECK(store.find(measured(0)).has_value());
  const std::vector<store::Shortage> short_of_room = store.take_short_of_room();
  REQUIRE(short_of_room.size() == 1);
  CHECK(short_of_room[0].writer == churning);
  CHECK(short_of_room[0].replaced == 20 * 400 - store::kMostOfWriter);
  CHECK(short_of_room[0].refused + short_of_room[0].lost == 0);
  CHECK(store.take_short_of_room().empty());
  // As many as live at a time are never refused for it.
  for (int i = 0; i < 3000; ++i) CHECK(append(store, quiet, 50'000 + i, t));
  CHECK(store.largest_writer()->name == "quiet");
}

namespace {

// How many of `count` new series of this name a writer gets.
int get(Store& store, store::Writer writer, const char* name, int count, std::int64_t t = 1) {
  int got = 0;
  for (int i = 0; i < count; ++i) {
    const auto id = store.series({{"__name__", name}, {"i", std::to_string(i)}}, writer);
    if (id && store.append(*id, {t, 1}).has_value()) ++got;
  }
  return got;
}

std::size_t has(const Store& store, const char* name) {
  return store.select({model::Matcher::equal("__name__", name)}).size();
}

}  // namespace

TEST_CASE("a rule over a wide metric is refused what is too much, and no measured series goes for it") {
  using store::Rank;
  Store store({.retention = kTwoHours, .max_series = 1000});
  const store::Writer file = store.add_writer("file"), wide = store.add_writer("wide");
  const store::Writer first = store.add_writer("first", Rank::recording);
  const store::Writer second = store.add_writer("second", Rank::recording);
  CHECK(get(store, file, "size", 1) == 1);
  CHECK(get(store, wide, "w", 300) == 300);
  CHECK(get(store, first, "first", 600) == 600);    // more than its part: there is room
  CHECK(get(store, second, "second", 600) == 304);  // there is none any more: as much as the other one then
  CHECK(has(store, "first") == 305);
  CHECK(get(store, first, "first", 600) == 305);  // what is there, and no more
  CHECK(has(store, "second") == 304);
  // Alerts have another part; one with few has its few, whatever another has.
  const store::Writer many = store.add_writer("many", Rank::alert), few = store.add_writer("few", Rank::alert);
  CHECK(get(store, many, "many", 2000) == 300);
  CHECK(get(store, few, "few", 4) == 4);
  CHECK(has(store, "many") == 296);
  CHECK(get(store, wide, "more", 300) == 129);  // all that is left but for what is kept
  CHECK(has(store, "size") == 1);
  CHECK(has(store, "w") == 300);
  CHECK(store.stats().series <= 1000);
  CHECK(has(store, "first") + has(store, "second") == 200);  // their part, once others want theirs
  // All that lived and had to go is of rules, and is known.
  CHECK(store.stats().lost == 708);
  std::uint64_t lost = 0;
  for (const store::Shortage& one : store.take_short_of_room()) {
    lost += one.lost;
    CHECK((one.lost == 0 || one.writer == first || one.writer == second || one.writer == many));
  }
  CHECK(lost == 708);
}

TEST_CASE("a store full of measured series has room for recordings, alerts, counters and health") {
  using store::Rank;
  Store store({.retention = kTwoHours, .max_series = 1000});
  const store::Writer wide = store.add_writer("wide");
  const store::Writer self = store.add_writer("self", Rank::self), alert = store.add_writer("alert", Rank::alert);
  const store::Writer recording = store.add_writer("recording", Rank::recording);
  CHECK(get(store, wide, "w", 2000) == 900);
  CHECK(get(store, self, "self", 100) == 30);
  CHECK(get(store, recording, "recording", 100) == 10);
  CHECK(get(store, store::kHealth, "health", 10) == 10);
  CHECK(get(store, alert, "alert", 100) == 20);
  CHECK(store.stats().lost == 0);
  // Health has what it needs, from who has most. The others keep what is kept for them.
  CHECK(get(store, store::kHealth, "more", 100) == 100);
  CHECK(has(store, "self") == 30);
  CHECK(has(store, "w") == 830);
  CHECK(has(store, "recording") == 10);
  CHECK(has(store, "alert") == 20);
  CHECK(store.stats().lost == 70);
  CHECK(store.stats().series == 1000);
}

TEST_CASE("health and the first few series of an alert come before the agent's own counters, in the smallest store") {
  using store::Rank;
  Store store({.retention = kTwoHours, .max_series = 100});
  const store::Writer self = store.add_writer("self", Rank::self), file = store.add_writer("file");
  CHECK(get(store, self, "self", 300) == 50);
  CHECK(get(store, file, "m", 300) == 43);
  CHECK(get(store, store::kHealth, "health", 20) == 20);
  CHECK(has(store, "self") == 34);
  for (const char* name : {"a", "b", "c"}) {
    const store::Writer alert = store.add_writer(name, Rank::alert);
    CHECK(get(store, alert, name, 2) == 2);
  }
  CHECK(has(store, "self") == 30);
  CHECK(has(store, "m") == 43);
  // One alert with many takes ten of theirs at the most.
  const store::Writer wide = store.add_writer("wide", Rank::alert);
  CHECK(get(store, wide, "wide", 200) == 10);
  CHECK(has(store, "self") == 20);
  CHECK(has(store, "m") == 43);
}

TEST_CASE("what has ended goes before a new series is refused, whoever's it is") {
  using store::Rank;
  Store store({.retention = kTwoHours, .max_series = 1000});
  const store::Writer wide = store.add_writer("wide"), rule = store.add_writer("rule", Rank::recording);
  CHECK(get(store, rule, "r", 200) == 200);
  CHECK(get(store, store::kHealth, "health", 100) == 100);
  CHECK(get(store, wide, "w", 2000) == 650);
  for (const char* name : {"r", "health"})
    for (const store::Found& found : store.select({model::Matcher::equal("__name__", name)}))
      CHECK(store.append(found.id, {2, model::stale_marker()}).has_value());
  CHECK(get(store, wide, "w", 2000, 3) == 900);
  CHECK(store.stats().lost == 0);
  CHECK(store.stats().evicted == 250);
  CHECK(get(store, rule, "r", 50, 4) == 10);  // of its own that had ended
}

TEST_CASE("the number of a writer is used again when its last series has gone") {
  Store store({.retention = base::Millis{1000}, .max_series = 10});
  const store::Writer gone = store.add_writer("gone");
  CHECK(append(store, gone, 0, 1));
  store.remove_writer(gone);
  const store::Writer next = store.add_writer("next");
  CHECK(next != gone);
  store.expire(100'000);
  CHECK(store.add_writer("again") == gone);
  CHECK(store.writer(gone).name == "again");
  CHECK(store.writer(gone).series == 0);
}

TEST_CASE("old samples and series may go in parts, between which others come, and all of them go") {
  Store store({.retention = base::Millis{1000}, .max_series = 1000});
  for (int i = 0; i < 200; ++i) CHECK(append(store, store::kHealth, i, i % 2 == 0 ? 100 : 10'000));
  const std::size_t before = store.stats().bytes;
  int parts = 0;
  for (store::SeriesId next = 0; next < store.end(); ++parts) {
    const store::SeriesId part = store.expire(10'500, next, 50);
    CHECK(part > next);
    CHECK(part <= next + 50);
    next = part;
    if (parts == 1) CHECK(append(store, store::kHealth, 500, 10'000));  // takes the place of one that has gone
  }
  CHECK(parts >= 200 / 32);
  CHECK(store.stats().series == 101);
  CHECK(store.stats().samples == 101);
  CHECK(store.stats().bytes < before);
  CHECK(store.expire(10'500, store.end(), 50) == store.end());
  store.expire(20'000);
  CHECK(store.stats().series == 0);
  CHECK(store.stats().samples == 0);
  CHECK(store.stats().bytes == 0);
}

TEST_CASE("chunks that were handed out stay what they were, whatever happens to the store") {
  Store store({.retention = base::Millis{1'000'000}, .max_series = 10});
  for (int i = 0; i < 500; ++i) CHECK(store.append(kUp, {i * 1000, i * 0.5}).has_value());
  const store::SeriesId id = *store.find(kUp);
  const std::vector<store::Chunk> chunks = store.chunks(id, kUp, 100'000, 499'000);
  const store::Series::Extent extent = store.extent(id, kUp, 100'000, 499'000);
  CHECK(extent.samples >= 400);
  CHECK(extent.samples < 620);
  CHECK(extent.bytes > 0);
  const auto samples = [&] {
    std::vector<Sample> out;
    for (const store::Chunk& chunk : chunks) chunk.read(100'000, 499'000, out);
    return out;
  };
  const std::string before = text(samples());
  CHECK(samples().size() == 400);
  for (int i = 500; i < 1000; ++i) CHECK(store.append(kUp, {i * 1000, i * 0.5}).has_value());
  store.shift(-5000);
  CHECK(text(samples()) == before);
  store.expire(1'000'000'000);
  CHECK(store.stats().series == 0);
  CHECK(text(samples()) == before);
  CHECK(store.chunks(id, kUp, 0, 1'000'000).empty());
  CHECK(store.append({{"other", "1"}}, {1, 1}).has_value());  // takes the number
  CHECK(store.chunks(id, kUp, 0, 1'000'000).empty());
  CHECK(store.extent(id, kUp, 0, 1'000'000).samples == 0);
}

TEST_CASE("an id works as long as the generation stays") {
  Store store({.retention = base::Millis{1000}, .max_series = 10});
  const auto id = store.series(kUp);
  REQUIRE(id.has_value());
  const std::uint64_t before = store.generation();
  CHECK(store.append(*id, {5000, 1}).has_value());
  CHECK(store.append(kUp, {5001, 1}).has_value());
  CHECK(store.generation() == before);
  CHECK(store.series(kUp).value() == id.value());
  store.expire(5500);
  CHECK(store.generation() == before);
  store.expire(60'000);
  CHECK(store.generation() != before);
  CHECK(store.stats().series == 0);
  CHECK(store.stats().samples == 0);
  CHECK(store.append(*id, {7000, 1}).error().kind == base::Kind::not_found);
  CHECK(store.select({}).empty());
  Sample sample;
  CHECK_FALSE(store.last_at(*id, 0, 9999, sample));
  CHECK(read(store, *id, 0, 9999).empty());
}

TEST_CASE("found series are sorted by labels, whatever the order of their coming") {
  Store store({.retention = kTwoHours, .max_series = 20'000});
  const std::vector<Labels> sorted = {{{"__name__", "a"}},
                                      {{"__name__", "a"}, {"x", "1"}},
                                      {{"__name__", "a"}, {"x", "10"}},
                                      {{"__name__", "a"}, {"x", "2"}},
                                      {{"__name__", "b"}}};
  for (const std::size_t i : {3u, 0u, 4u, 2u, 1u}) CHECK(store.append(sorted[i], {1, 1}).has_value());
  const std::vector<store::Found> found = store.select({});
  REQUIRE(found.size() == sorted.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) CHECK(found[i].labels == sorted[i]);
}

TEST_CASE("the newest sample at a time is found among the newest, in older chunks and not beyond the bounds") {
  Store store({.retention = base::Millis{100'000'000}, .max_series = 1});
  const auto id = store.series(kUp);
  for (int i = 0; i < 1000; ++i) CHECK(store.append(*id, {i * 1000, static_cast<double>(i)}).has_value());
  struct Row {
    std::int64_t not_before, at, want;  // -1: none
  };
  for (const Row& row : {Row{0, 999'000, 999'000}, Row{0, 2'000'000, 999'000}, Row{0, 998'999, 998'000},
                         Row{0, 500'500, 500'000}, Row{500'001, 500'500, -1}, Row{0, 0, 0}, Row{-10, -1, -1},
                         Row{999'001, 2'000'000, -1}, Row{119'000, 119'999, 119'000}, Row{0, 120'000, 120'000}}) {
    CAPTURE(row.at);
    Sample sample;
    CHECK(store.last_at(*id, row.not_before, row.at, sample) == (row.want >= 0));
    if (row.want >= 0) CHECK(sample.t == row.want);
  }
}

TEST_CASE("random series behave like plain vectors") {
  base::Random random(1234);
  for (int round = 0; round < 20; ++round) {
    constexpr std::int64_t kRetention = 100'000;
    Store store({.retention = base::Millis{kRetention}, .max_series = 1000});
    std::map<Labels, std::vector<Sample>> model;
    std::int64_t now = 1'700'000'000'000;
    std::size_t held = 0;
    for (int step = 0; step < 3000; ++step) {
      now += static_cast<std::int64_t>(random.below(200));
      const Labels labels = {{"__name__", "m"}, {"i", std::to_string(random.below(20))}};
      std::int64_t t = now - static_cast<std::int64_t>(random.below(20) == 0 ? random.below(5000) : 0);
      const double v = random.below(10) == 0 ? model::stale_marker() : std::floor(random.unit() * 4) - 0.0;
      std::vector<Sample>& samples = model[labels];
      if (!samples.empty() && random.below(20) == 0) t = samples.back().t;
      const bool newer = samples.empty() || t > samples.back().t;
      const bool same = !samples.empty() && t == samples.back().t;
      REQUIRE(store.append(labels, {t, v}).has_value() == (newer || same));
      if (newer) samples.push_back({t, v});
      if (same) samples.back().v = v;
      if (step % 700 == 699) {  // somebody sets the clock
        const auto by = static_cast<std::int64_t>(random.below(20'000)) - 10'000;
        store.shift(by);
        now += by;
        for (auto& [l, s] : model)
          for (Sample& sample : s) sample.t += by;
      }
      if (step % 500 == 499) {
        if (random.below(4) == 0) now += kRetention / 2;
        store.expire(now);
        for (auto& [l, s] : model) {
          // Whole chunks stay or go: everything that is young enough is there, and nothing is there twice.
          const auto found = store.select({model::Matcher::equal("i", l.get("i"))});
          if (found.empty()) {
            REQUIRE((s.empty() || s.back().t < now - kRetention));
            s.clear();
            continue;
          }
          const std::vector<Sample> kept = read(store, found[0].id, 0, now);
          REQUIRE(kept.size() <= s.size());
          const std::size_t gone = s.size() - kept.size();
          REQUIRE((gone == 0 || s[gone - 1].t < now - kRetention));
          REQUIRE((kept.empty() || kept.front().t >= now - kRetention - kRetention / 8));
          s.erase(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(gone));
        }
      }
    }
    for (const auto& [labels, samples] : model) held += samples.size();
    REQUIRE(store.stats().samples == held);
    for (const store::Found& found : store.select({})) {
      const std::vector<Sample>& samples = model[found.labels];
      std::vector<Sample> from_chunks;
      for (const store::Chunk& chunk : store.chunks(found.id, found.labels, 0, now)) chunk.read(0, now, from_chunks);
      REQUIRE(text(from_chunks) == text(samples));
      REQUIRE(store.extent(found.id, found.labels, 0, now).samples == samples.size());
      REQUIRE(text(read(store, found.id, 0, now)) == text(samples));
      for (int query = 0; query < 30; ++query) {
        const auto from = now - static_cast<std::int64_t>(random.below(2 * kRetention));
        const auto to = from + static_cast<std::int64_t>(random.below(kRetention));
        std::vector<Sample> want;
        std::copy_if(samples.begin(), samples.end(), std::back_inserter(want),
                     [&](const Sample& s) { return s.t >= from && s.t <= to; });
        REQUIRE(text(read(store, found.id, from, to)) == text(want));
        Sample last;
        REQUIRE(store.last_at(found.id, from, to, last) == !want.empty());
        if (!want.empty()) REQUIRE(text({last}) == text({want.back()}));
      }
    }
  }
}
