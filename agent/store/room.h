// Who may have how many series: keeps count of the writers' series and of those that have ended, and says which one
// goes when there is no room. Knows ids only. Loop thread only.
#pragma once

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

  Writer add_writer(std::string name);
  void remove_writer(Writer writer);
  const WriterStats& writer(Writer writer) const { return writers_[writer].stats; }
  const WriterStats* largest() const;
  std::vector<Writer> take_short_of_room();

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

  std::size_t series() const { return series_; }

 private:
  using Ended = std::set<std::pair<std::int64_t, SeriesId>>;  // oldest first
  struct Entry {
    WriterStats stats;
    std::vector<SeriesId> ids;  // of measured series only
    Ended ended;
    bool noted = false;  // stands in short_of_room_
    bool removed = false;
  };
  struct Owner {
    Writer writer = kAgent;
    std::optional<std::int64_t> ended;
  };

  void note(Writer writer);
  Admission refuse(Writer writer);
  std::optional<SeriesId> oldest(const Ended& ended) const;
  std::optional<SeriesId> one_of_the_largest() const;

  std::size_t max_series_;
  std::size_t most_measured_;
  std::size_t series_ = 0;
  std::vector<Entry> writers_;
  std::vector<Writer> free_;
  std::vector<Owner> owners_;  // by series
  Ended ended_;                // of all measured series
  std::vector<Writer> short_of_room_;
};

}  // namespace store
