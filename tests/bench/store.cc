// What a sample costs in memory and in time, for the kinds of series that an agent has, and what a whole http probe
// costs with its 31 series once the retention has gone round. One JSON line for each; judges nothing. `kib_per_set` is
// what the store counts, `heap_kib_per_set` what malloc gave out for it, labels and look-up tables included.
#include "store/store.h"

#include <malloc.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"

namespace {

constexpr int kInterval = 5000;
constexpr int kRetention = 7'200'000;
constexpr int kSamples = 2 * kRetention / kInterval;  // the store is full after half of them
constexpr std::int64_t kStart = 1'700'000'000'000;

enum class Kind { constant, duration, sum, counter, small_counter, random };

struct Kinds {
  const char* name;
  Kind kind;
};

double value_of(Kind kind, double before, base::Random& random) {
  switch (kind) {
    case Kind::constant: return 1;
    // About 0.8 ms in microseconds, with a long tail, as durations of probes are.
    case Kind::duration: return std::round(600 + 100 * random.unit() - 80 * std::log(1 - random.unit())) / 1e6;
    case Kind::sum: return std::round((before + value_of(Kind::duration, 0, random)) * 1e6) / 1e6;
    case Kind::counter: return before + 1;
    case Kind::small_counter: return before + static_cast<double>(random.below(20));
    case Kind::random: break;
  }
  return random.unit();
}

std::size_t heap_in_use() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

double nanoseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

// `copies` series of each of `kinds`, which take their samples together, as the series of a probe do.
void measure(const char* name, const std::vector<Kind>& kinds, int copies, std::uint64_t late_ms) {
  base::Random random(1);
  const std::size_t heap_before = heap_in_use();
  const std::size_t count = kinds.size() * static_cast<std::size_t>(copies);
  store::Store store({.retention = base::Millis{kRetention}, .max_series = 2 * count + 100});
  std::vector<store::SeriesId> ids;
  std::vector<double> values(count);
  model::Labels of_probe;
  std::vector<model::Labels> names;
  for (std::size_t i = 0; i < count; ++i) {
    if (names.size() < kinds.size())
      names.push_back({{model::kMetricName, "probe_http_duration_seconds_" + std::to_string(i)}});
    if (i % kinds.size() == 0)
      of_probe = model::Labels{{"instance", "node1:10911"},
                               {"job", "fettle"},
                               {"probe", "p" + std::to_string(i / kinds.size())},
                               {"service", "order"}};
    ids.push_back(*store.series(names[i % kinds.size()].joined(of_probe)));
  }
  const auto writing = std::chrono::steady_clock::now();
  std::int64_t now = kStart;
  for (int n = 0; n < kSamples; ++n) {
    now = kStart + std::int64_t{n} * kInterval;
    std::int64_t t = now;
    for (std::size_t i = 0; i < count; ++i) {
      if (i % kinds.size() == 0 && late_ms > 0) t = now + static_cast<std::int64_t>(random.below(late_ms));
      values[i] = value_of(kinds[i % kinds.size()], values[i], random);
      (void)store.append(ids[i], {t, values[i]});
    }
    if (n % 12 == 0) store.expire(now);
  }
  const double appends = static_cast<double>(count) * kSamples;
  const double write_ns = nanoseconds_since(writing) / appends;

  const std::size_t heap = heap_in_use() - heap_before;

  std::vector<model::Sample> out;
  std::size_t samples = 0;
  const auto reading = std::chrono::steady_clock::now();
  for (const store::SeriesId id : ids) {
    out.clear();
    store.read(id, 0, now + kInterval, out);
    samples += out.size();
  }
  const double read_ns = nanoseconds_since(reading) / static_cast<double>(samples);
  const auto asking = std::chrono::steady_clock::now();
  model::Sample last;
  for (int n = 0; n < 100; ++n)
    for (const store::SeriesId id : ids) (void)store.last_at(id, 0, now + kInterval, last);
  const double last_ns = nanoseconds_since(asking) / static_cast<double>(ids.size() * 100);
  const store::Stats stats = store.stats();
  std::printf(
      "{\"bench\": \"store\", \"series\": \"%s\", \"late_ms\": %d, \"bytes_per_sample\": %.2f, \"kib_per_set\": %.1f, "
      "\"heap_kib_per_set\": %.1f, \"ns_per_append\": %.1f, \"ns_per_sample_read\": %.1f, \"ns_per_newest\": %.1f}\n",
      name, static_cast<int>(late_ms), static_cast<double>(stats.bytes) / static_cast<double>(stats.samples),
      static_cast<double>(stats.bytes) / 1024 / copies, static_cast<double>(heap) / 1024 / copies, write_ns, read_ns,
      last_ns);
}

// Those of a http probe on the metrics page: 16 that hardly ever change, 8 counters of runs, 6 durations and a sum.
std::vector<Kind> http_probe() {
  std::vector<Kind> kinds(16, Kind::constant);
  kinds.insert(kinds.end(), 8, Kind::counter);
  kinds.insert(kinds.end(), 6, Kind::duration);
  kinds.push_back(Kind::sum);
  return kinds;
}

}  // namespace

int main() {
  for (const auto& [name, kind] : {Kinds{"constant", Kind::constant}, Kinds{"counter of runs", Kind::counter},
                                   Kinds{"counter", Kind::small_counter}, Kinds{"duration", Kind::duration},
                                   Kinds{"sum of durations", Kind::sum}, Kinds{"random", Kind::random}})
    measure(name, {kind}, 500, 0);
  measure("http probe", http_probe(), 50, 0);
  measure("http probe", http_probe(), 50, 3);
}
