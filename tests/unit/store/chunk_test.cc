#include "store/chunk.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"

namespace {

using model::Sample;

store::Chunk chunk_of(const std::vector<Sample>& samples) {
  store::ChunkWriter writer;
  writer.start(samples.front());
  for (std::size_t i = 1; i < samples.size(); ++i) writer.append(samples[i]);
  return writer.sealed();
}

// As text, so that NaN payloads and -0 are compared and shown.
std::string bits(const std::vector<Sample>& samples) {
  std::string out;
  for (const Sample& s : samples)
    out += std::to_string(s.t) + "=" + std::to_string(std::bit_cast<std::uint64_t>(s.v)) + " ";
  return out;
}

std::string read_back(const store::Chunk& chunk) {
  std::vector<Sample> out;
  chunk.read(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), out);
  return bits(out);
}

}  // namespace

TEST_CASE("values come back bit for bit") {
  const double nan_with_payload = std::bit_cast<double>(0xfff8dead00000001u);
  const std::vector<Sample> samples = {{0, 0.0},
                                       {1, -0.0},
                                       {2, model::stale_marker()},
                                       {3, model::stale_marker()},
                                       {4, std::numeric_limits<double>::quiet_NaN()},
                                       {5, nan_with_payload},
                                       {6, std::numeric_limits<double>::infinity()},
                                       {7, -std::numeric_limits<double>::infinity()},
                                       {8, std::numeric_limits<double>::denorm_min()},
                                       {9, std::numeric_limits<double>::max()},
                                       {10, 0.1},
                                       {11, 1},
                                       {12, -1}};
  CHECK(read_back(chunk_of(samples)) == bits(samples));
}

TEST_CASE("times come back whatever lies between them") {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const std::vector<Sample> samples = {{kMin, 1}, {kMin + 1, 1}, {-5, 1},      {0, 1},         {64, 1},  {127, 1},
                                       {2175, 1}, {524'288, 1},  {1 << 20, 1}, {1LL << 40, 1}, {kMax, 1}};
  CHECK(read_back(chunk_of(samples)) == bits(samples));
}

TEST_CASE("random samples come back, from every starting bit") {
  base::Random random(42);
  for (int round = 0; round < 900; ++round) {
    std::vector<Sample> samples;
    std::int64_t t = static_cast<std::int64_t>(random.next() >> 20);
    double v = 0;
    for (std::uint64_t n = 1 + random.below(200); n > 0; --n) {
      if (round % 2 == 0) t += 1 + static_cast<std::int64_t>(random.next() >> (1 + random.below(63)) & 0xffff'ffffff);
      else t += random.below(10) == 0 ? 4999 : 5000;
      switch (random.below(round % 3 == 0 ? 6 : 9)) {
        case 0: break;
        case 1: v += 1; break;
        case 6: v = static_cast<double>(random.below(10'000'000)) / 1e9; break;
        case 7:
          v = static_cast<double>(random.below(100'000)) / std::pow(10, static_cast<double>(random.below(14)));
          break;
        case 8: v = -std::floor(static_cast<double>(random.next() >> random.below(64))); break;
        case 2: v = random.unit(); break;
        case 3: v = std::bit_cast<double>(random.next()); break;
        case 4:
          v = std::bit_cast<double>(std::bit_cast<std::uint64_t>(v) ^ (std::uint64_t{1} << random.below(64)));
          break;
        default: v = model::stale_marker();
      }
      samples.push_back({t, v});
    }
    CAPTURE(round);
    REQUIRE(read_back(chunk_of(samples)) == bits(samples));
  }
}

TEST_CASE("samples that are as expected take no bits at the end of a chunk, and few before") {
  std::vector<Sample> samples;
  for (int i = 0; i < 1000; ++i) samples.push_back({1'700'000'000'000 + i * 5000, 1});
  CHECK(chunk_of(samples).bit_count == 0);
  samples.push_back({1'700'000'000'000 + 1000 * 5000, 0});
  const store::Chunk chunk = chunk_of(samples);
  CHECK(chunk.bit_count < 40);
  CHECK(read_back(chunk) == bits(samples));
}

TEST_CASE("a counter that grows evenly is as expected after its second sample") {
  for (const double step : {1.0, 1000.0, -3.0, 0.25}) {
    std::vector<Sample> samples;
    for (int i = 0; i < 1000; ++i) samples.push_back({i * 15'000, 5.0 + i * step});
    store::Chunk chunk = chunk_of(samples);
    CAPTURE(step);
    CHECK(chunk.bit_count < (step == 0.25 ? 60 : 1));
    CHECK(read_back(chunk) == bits(samples));
    CHECK(chunk.shorten(3'000'000) == (step == 0.25 ? 0 : 200));
    samples.erase(samples.begin(), samples.begin() + (step == 0.25 ? 0 : 200));
    CHECK(read_back(chunk) == bits(samples));
  }
}

TEST_CASE("durations in nanoseconds take what their noise takes") {
  base::Random random(7);
  std::vector<Sample> samples;
  for (int i = 0; i < 200; ++i)
    samples.push_back({i * 1000, static_cast<double>(800'000 + random.below(1024)) / 1e9});  // 10 bits
  const store::Chunk chunk = chunk_of(samples);
  CHECK(chunk.bit_count < 200 * 15);
  CHECK(read_back(chunk) == bits(samples));
}

TEST_CASE("one row loses what is too old without being written again") {
  std::vector<Sample> samples;
  for (int i = 0; i < 100; ++i) samples.push_back({1000 + i * 10, 3});
  store::Chunk chunk = chunk_of(samples);
  struct Row {
    std::int64_t cutoff;
    std::uint32_t gone;
    std::int64_t first;
  };
  for (const Row& row : {Row{900, 0, 1000}, Row{1000, 0, 1000}, Row{1001, 1, 1010}, Row{1500, 49, 1500},
                         Row{1509, 1, 1510}, Row{5000, 48, 1990}}) {
    CAPTURE(row.cutoff);
    CHECK(chunk.shorten(row.cutoff) == row.gone);
    CHECK(chunk.first_t == row.first);
    CHECK(chunk.last_t == 1990);
    std::vector<Sample> out;
    chunk.read(0, 9999, out);
    CHECK(out.size() == chunk.count);
    CHECK(out.front().t == row.first);
    CHECK(out.back().t == 1990);
  }
  samples.push_back({5000, 4});
  store::Chunk other = chunk_of(samples);
  CHECK(other.shorten(1500) == 0);

  store::ChunkWriter writer;
  writer.start({1000, 3});
  for (std::size_t i = 1; i < 100; ++i) writer.append(samples[i]);
  CHECK(writer.shorten(1500) == 50);
  writer.append(samples.back());
  CHECK(read_back(writer.sealed()) == bits({samples.begin() + 50, samples.end()}));
}

TEST_CASE("a part of a long row is found by counting, before, within and behind it") {
  std::vector<Sample> samples;
  for (int i = 0; i < 50; ++i) samples.push_back({100 + i * 10, static_cast<double>(i * 3)});
  for (int i = 50; i < 70; ++i) samples.push_back({100 + i * 10, 0.5});
  samples.push_back({850, model::stale_marker()});
  for (int i = 0; i < 30; ++i) samples.push_back({900 + i * 7, 12});
  for (const std::size_t length : {samples.size(), std::size_t{50}, std::size_t{1}}) {
    const std::vector<Sample> all(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(length));
    const store::Chunk chunk = chunk_of(all);
    for (std::int64_t from = 90; from < 1120; from += 3) {
      for (const std::int64_t to : {from, from + 1, from + 9, from + 200, std::numeric_limits<std::int64_t>::max()}) {
        std::vector<Sample> want, got;
        for (const Sample& s : all)
          if (s.t >= from && s.t <= to) want.push_back(s);
        chunk.read(from, to, got);
        REQUIRE(bits(got) == bits(want));
        if (length == 50) CHECK(chunk.count_between(from, to) == want.size());
        if (to < 100) continue;
        const auto last = std::find_if(all.rbegin(), all.rend(), [&](const Sample& s) { return s.t <= to; });
        REQUIRE(bits({chunk.last_at(to)}) == bits({*last}));
      }
    }
  }
}

TEST_CASE("a row that passes what a double can count is not begun beyond it") {
  std::vector<Sample> samples;
  for (int i = 0; i < 20; ++i) samples.push_back({i * 10, 9007199254740980.0 + 2 * i});
  store::ChunkWriter writer;
  writer.start(samples.front());
  for (std::size_t i = 1; i < samples.size(); ++i) writer.append(samples[i]);
  CHECK(writer.shorten(100) == 0);
  CHECK(writer.shorten(20) == 2);
  for (const double v : {9007199254741022.0, 5.0, 0.1, 3.0}) {
    samples.push_back({samples.back().t + 10, v});
    writer.append(samples.back());
  }
  CHECK(read_back(writer.sealed()) == bits({samples.begin() + 2, samples.end()}));
}

TEST_CASE("the last sample gets another value, wherever it stands") {
  const std::vector<double> values = {1, 1, 1, 2, 3, 4, 0.25, model::stale_marker(), 1, 1};
  for (std::size_t length = 1; length <= values.size(); ++length)
    for (const double other : {1.0, 5.0, 0.125, model::stale_marker()}) {
      std::vector<Sample> samples;
      for (std::size_t i = 0; i < length; ++i) samples.push_back({static_cast<std::int64_t>(i * 10), values[i]});
      store::ChunkWriter writer;
      writer.start(samples.front());
      for (std::size_t i = 1; i < length; ++i) writer.append(samples[i]);
      writer.replace_last(other);
      samples.back().v = other;
      writer.append({1000, 7});
      samples.push_back({1000, 7});
      CAPTURE(length);
      CHECK(read_back(writer.sealed()) == bits(samples));
    }
}

TEST_CASE("a part of a chunk is read with both ends included") {
  const store::Chunk chunk = chunk_of({{10, 1}, {20, 2}, {30, 3}, {40, 4}});
  std::vector<Sample> out;
  chunk.read(20, 30, out);
  CHECK(bits(out) == bits({{20, 2}, {30, 3}}));
  CHECK(chunk.last_at(29).t == 20);
  CHECK(chunk.last_at(30).t == 30);
  CHECK(chunk.last_at(99).t == 40);
}

TEST_CASE("what was sealed stays as it is while the writer goes on, and starts anew") {
  store::ChunkWriter writer;
  CHECK(writer.empty());
  writer.start({10, 1});
  writer.append({20, 2});
  const store::Chunk before = writer.sealed();
  writer.append({30, 3});
  CHECK(read_back(before) == bits({{10, 1}, {20, 2}}));
  CHECK(read_back(writer.sealed()) == bits({{10, 1}, {20, 2}, {30, 3}}));
  store::Chunk moved = before;  // the bits are shared, the times are its own
  moved.first_t += 5;
  moved.last_t += 5;
  CHECK(read_back(moved) == bits({{15, 1}, {25, 2}}));
  writer.start({40, 4});
  CHECK(read_back(writer.sealed()) == bits({{40, 4}}));
  CHECK(read_back(before) == bits({{10, 1}, {20, 2}}));
}
