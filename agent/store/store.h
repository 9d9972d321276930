// The recent past in memory: compressed series, two hours by default, bounded in series and so in memory.
// Loop thread only; what chunks() hands out may be read anywhere. Appends are in order of time per series; what is
// older than the newest sample is refused and counted.
//
// Who gets room. Each series has a writer: a probe, a rule, the agent's own counters, or health; and each writer a
// rank. A rank has a part of the store that is kept for it, whatever the others need, and most that it may have; rules
// may have more of a store that has room, until others want it. What is kept for none is for who comes first. In
// hundredths of max_series:
//
//   measured    series of probes                        0, at most 90
//   self        the agent's own counters                3, at most 50
//   recording                                           1, at most 20
//   alert       ALERTS, ALERTS_FOR_STATE                2, at most 30
//   health      probe_success, fettle_service_up        4, and what it needs
//
// Where there is no room, series that have ended (the newest sample is a stale marker) go first, the oldest first, of
// any writer. A living series goes only for
// - health: one of the agent's own counters, else one of the probe or rule with the most;
// - the first few series of an alert: one of the agent's own counters;
// - a rule with fewer series, among recordings or among alerts: one of the rule with the most, so that what one rule
//   has too many of costs no other its few. Measured series never go for rules;
// - a rank that has less than its most: one of rules that have more than theirs.
// None of these goes from what is kept for another rank. Else the new one is refused. A probe whose series come and go
// holds at most kMostOfWriter of them, those that have ended included: its own oldest make room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"
#include "store/chunk.h"
#include "store/series.h"

namespace store {

struct Options {
  base::Millis retention;
  std::size_t max_series;
};

// A series while it exists. Stays valid while generation() stays the same.
using SeriesId = std::uint32_t;

// What they have is said above.
enum class Rank { measured, self, recording, alert, health };
inline constexpr std::size_t kRanks = 5;

// Whose series it is. kHealth: those of health, which has one writer.
using Writer = std::uint32_t;
inline constexpr Writer kHealth = 0;
inline constexpr std::size_t kMostOfWriter = 1000;

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
  std::uint64_t refused_limit = 0;  // no room
  std::size_t max_series = 0;
  std::uint64_t evicted = 0;  // series that went before their time, to make room for others
  std::uint64_t lost = 0;     // those of them that had not ended
};

struct WriterStats {
  std::string name;
  Rank rank = Rank::measured;
  std::size_t series = 0;
};

// What a writer did not get or keep for want of room, since it was asked last: series that were refused, of its own
// that had ended and went for new ones because it has kMostOfWriter, and of its own that lived and went for others.
struct Shortage {
  Writer writer = kHealth;
  std::uint64_t refused = 0;
  std::uint64_t replaced = 0;
  std::uint64_t lost = 0;
};

class Store {
 public:
  explicit Store(Options options);
  ~Store();
  Store(Store&&) noexcept;

  // Fails with Kind::limit when there is no room for a new series, Kind::invalid when `sample` is older than the last
  // one of its series. Of two of the same millisecond the later word holds: a run that confirms a kill may begin in the
  // millisecond of the run before it, and its verdict must not be lost to rules. (Prometheus refuses the second.)
  // A new series counts as health.
  base::Result<> append(const model::Labels& labels, model::Sample sample);
  // The same by id, without looking the labels up.
  base::Result<> append(SeriesId id, model::Sample sample);
  // Finds or creates; the writer of a series is who created it.
  base::Result<SeriesId> series(const model::Labels& labels, Writer writer = kHealth);

  std::optional<SeriesId> find(const model::Labels& labels) const;

  // An owner of series. The name is for people. A writer that is removed leaves its series; they expire.
  Writer add_writer(std::string name, Rank rank = Rank::measured);
  void remove_writer(Writer writer);
  const WriterStats& writer(Writer writer) const;
  // The one with the most measured series; nullptr while there is none.
  const WriterStats* largest_writer() const;
  // The writers that went short of room since the last call, each once.
  std::vector<Shortage> take_short_of_room();

  // Changes whenever a series appears or goes: as long as it is the same, ids found before are still right.
  std::uint64_t generation() const;
  // All series that match, sorted by labels (byte order, as Prometheus walks them).
  std::vector<Found> select(const std::vector<model::Matcher>& matchers) const;
  // Appends the samples with from <= t <= to, in order, stale markers included. Milliseconds since the epoch.
  void read(SeriesId id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const;
  // The newest sample with t <= `at` and t >= `not_before`; false if there is none.
  bool last_at(SeriesId id, std::int64_t not_before, std::int64_t at, model::Sample& out) const;

  // All ids are below this.
  SeriesId end() const;
  // nullptr where there is no series (any more).
  const model::Labels* labels(SeriesId id) const;
  // For readers on other threads: the chunks with samples in [from, to], which stay as they are, and what they cost.
  // Samples of a chunk may lie outside. Nothing, if the id is not of these labels any more.
  std::vector<Chunk> chunks(SeriesId id, const model::Labels& labels, std::int64_t from, std::int64_t to) const;
  Series::Extent extent(SeriesId id, const model::Labels& labels, std::int64_t from, std::int64_t to) const;

  // The clock by which samples are stamped was set: what was three minutes ago still is. Milliseconds, of either sign.
  void shift(std::int64_t by);
  // Drops samples older than now - retention, and series without samples. Call now and then (every minute).
  void expire(std::int64_t now);
  // A part of that, for who has other things to do in between: from this id on, until `count` series were looked at or
  // some have gone, which takes longer. Returns the next id, end() after the last.
  SeriesId expire(std::int64_t now, SeriesId from, SeriesId count);
  Stats stats() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace store
