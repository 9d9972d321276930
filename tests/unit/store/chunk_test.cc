#include "store/chunk.h"

#include <doctest/doctest.h>

#include <bit>
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
  for (int round = 0; round < 300; ++round) {
    std::vector<Sample> samples;
    std::int64_t t = static_cast<std::int64_t>(random.next() >> 20);
    double v = 0;
    for (std::uint64_t n = 1 + random.below(200); n > 0; --n) {
      t += 1 + static_cast<std::int64_t>(random.next() >> (1 + random.below(63)) & 0xffff'ffffff);
      switch (random.below(6)) {
        case 0: break;
        case 1: v += 1; break;
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

TEST_CASE("a regular series of one value takes two bits a sample") {
  std::vector<Sample> samples;
  for (int i = 0; i < 120; ++i) samples.push_back({1'700'000'000'000 + i * 5000, 1});
  const store::Chunk chunk = chunk_of(samples);
  CHECK(chunk.word_count <= 5);  // 118 * 2 bits and the first delta
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
