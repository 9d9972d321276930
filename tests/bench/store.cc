// What a sample costs in memory and in time, for the series that an agent has: probe_success (constant), durations
// (noise in milliseconds), counters and values without any pattern. Prints a table; judges nothing.
#include "store/store.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"

namespace {

constexpr int kSeries = 1000;
constexpr int kSamples = 1440;  // two hours at 5 s

double value_of(const std::string& kind, double before, base::Random& random) {
  if (kind == "constant") return 1;
  if (kind == "duration") return std::round(3e6 + 2e5 * random.unit()) / 1e9;
  if (kind == "counter") return before + static_cast<double>(random.below(20));
  return random.unit();
}

double nanoseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

void measure(const std::string& kind) {
  base::Random random(1);
  store::Store store({.retention = base::Millis{7'200'000}, .max_series = 20'000});
  std::vector<store::SeriesId> ids;
  std::vector<double> values(kSeries);
  for (int i = 0; i < kSeries; ++i)
    ids.push_back(*store.series({{"__name__", kind}, {"service", "order"}, {"probe", std::to_string(i)}}));
  const auto writing = std::chrono::steady_clock::now();
  for (int n = 0; n < kSamples; ++n)
    for (std::size_t i = 0; i < kSeries; ++i) {
      values[i] = value_of(kind, values[i], random);
      const auto late = static_cast<std::int64_t>(random.below(3));
      (void)store.append(ids[i], {1'700'000'000'000 + n * 5000 + late, values[i]});
    }
  const double write_ns = nanoseconds_since(writing) / (kSeries * kSamples);

  const std::int64_t now = 1'700'000'000'000 + kSamples * 5000;
  std::vector<model::Sample> out;
  const auto reading = std::chrono::steady_clock::now();
  for (const store::SeriesId id : ids) {
    out.clear();
    store.read(id, 0, now, out);
  }
  const double read_ns = nanoseconds_since(reading) / (kSeries * kSamples);
  const auto asking = std::chrono::steady_clock::now();
  model::Sample last;
  for (int n = 0; n < 100; ++n)
    for (const store::SeriesId id : ids) (void)store.last_at(id, 0, now, last);
  const double last_ns = nanoseconds_since(asking) / (kSeries * 100);
  const store::Stats stats = store.stats();
  std::printf("%-10s %8.2f bytes/sample %8.1f ns/append %8.1f ns/read sample %8.1f ns/last\n", kind.c_str(),
              static_cast<double>(stats.bytes) / static_cast<double>(stats.samples), write_ns, read_ns, last_ns);
}

}  // namespace

int main() {
  for (const char* kind : {"constant", "duration", "counter", "random"}) measure(kind);
}
