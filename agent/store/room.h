// Who may have how many series: keeps count of the writers' series and of those that have ended, and says which one
// goes when there is no room. The rule is in store.h. Knows ids only. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "store/store.h"

namespace store {

class Room {
 public:
  explicit Room(std::size_t max_series);

  Writer add_writer(std::string name, Rank rank);
  void remove_writer(Writer writer);
  const WriterStats& writer(Writer writer) const { return writers_[writer].stats; }
  const WriterStats* largest() const;
  std::vector<Shortage> take_short_of_room();

  struct Admission {
    bool admitted = false;
    std::optional<SeriesId> goes{};  // to be removed, with left(), before the new one comes
  };
  // Whether this writer may have one more series.
  Admission ask(Writer writer);
  void came(SeriesId id, Writer writer);
  void left(SeriesId id);
  // The newest sample of the series is a stale marker at `t`; or it is none any more.
  void ended(SeriesId id, std::int64_t t);
  void goes_on(SeriesId id);
  void shift(std::int64_t by);

  std::uint64_t lost() const { return lost_; }

 private:
  using Ended = std::set<std::pair<std::int64_t, SeriesId>>;  // oldest first
  struct Entry {
    WriterStats stats;
    Shortage since;             // the last take_short_of_room()
    std::vector<SeriesId> ids;  // of those that may have to go
    Ended ended;
    bool noted = false;  // stands in short_of_room_
    bool removed = false;
  };
  struct Owner {
    Writer writer = kHealth;
    std::optional<std::int64_t> ended;
  };
  // All writers of a rank.
  struct Ranked {
    std::size_t series = 0;
    std::size_t most = 0, sure = 0;
    std::set<std::pair<std::size_t, Writer>> by_size;
    Ended ended;
  };
  using Ranks = std::array<bool, kRanks>;

  Ranked& ranked(Writer writer) { return ranks_[static_cast<std::size_t>(writers_[writer].stats.rank)]; }
  const Entry* largest_of(Rank rank) const;
  void resize(Writer writer, int by);
  Shortage& note(Writer writer);
  Ranks crowded(Rank rank) const;
  std::optional<SeriesId> oldest_ended(const Ranks& ranks) const;
  const Entry* gives_way_to(const Entry& entry, const Ranks& ranks) const;

  std::size_t max_series_;
  std::array<Ranked, kRanks> ranks_;
  std::uint64_t lost_ = 0;
  std::vector<Entry> writers_;
  std::vector<Writer> free_;
  std::vector<Owner> owners_;  // by series
  std::vector<Writer> short_of_room_;
};

}  // namespace store
