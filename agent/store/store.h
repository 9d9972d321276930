// The recent past in memory: compressed series, two hours by default, bounded in series and so in memory.
// Loop thread only. Appends are in order of time per series; what is older than the newest sample is refused and
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"

namespace store {

struct Options {
  base::Millis retention{7'200'000};
  std::size_t max_series = 20'000;
};

// A series while it exists. Stays valid while generation() stays the same.
using SeriesId = std::uint32_t;

struct Found {
  SeriesId id;
  model::Labels labels;
};

struct Stats {
  std::size_t series = 0;
  std::size_t samples = 0;
  std::size_t bytes = 0;            // of chunks and label sets, near enough
  std::uint64_t appended = 0;       // since start
  std::uint64_t refused_old = 0;    // out of order
  std::uint64_t refused_limit = 0;  // max_series reached
};

class Store {
 public:
  explicit Store(Options options);
  ~Store();
  Store(Store&&) noexcept;

  // Fails with Kind::limit when a new series would pass max_series, Kind::invalid when `sample` is older than the last
  // one of its series. Of two of the same millisecond the later word holds: a run that confirms a kill may begin in the
  // millisecond of the run before it, and its verdict must not be lost to rules. (Prometheus refuses the second.)
  base::Result<> append(const model::Labels& labels, model::Sample sample);
  // The same by id, without looking the labels up.
  base::Result<> append(SeriesId id, model::Sample sample);
  base::Result<SeriesId> series(const model::Labels& labels);  // finds or creates

  // Changes whenever a series appears or goes: as long as it is the same, ids found before are still right.
  std::uint64_t generation() const;
  // All series that match, sorted by labels (byte order, as Prometheus walks them).
  std::vector<Found> select(const std::vector<model::Matcher>& matchers) const;
  // Appends the samples with from <= t <= to, in order, stale markers included. Milliseconds since the epoch.
  void read(SeriesId id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const;
  // The newest sample with t <= `at` and t >= `not_before`; false if there is none.
  bool last_at(SeriesId id, std::int64_t not_before, std::int64_t at, model::Sample& out) const;

  // The clock by which samples are stamped was set: what was three minutes ago still is. Milliseconds, of either sign.
  void shift(std::int64_t by);
  // Drops samples older than now - retention, and series without samples. Call now and then (every minute).
  void expire(std::int64_t now);
  Stats stats() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace store
