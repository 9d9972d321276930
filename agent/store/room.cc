#include "store/room.h"

#include <algorithm>

namespace store {
namespace {

// Hundredths of the store: the most that a rank may have, and what is kept for it whatever the others need.
struct Part {
  std::size_t most, sure;
};
constexpr std::array<Part, kRanks> kParts{{
    {90, 0},   // measured
    {50, 3},   // self
    {20, 1},   // recording
    {30, 2},   // alert
    {100, 4},  // health
}};

// So many series of an alert's rule come before the agent's own counters: five alerts.
constexpr std::size_t kFew = 10;

std::size_t index(Rank rank) { return static_cast<std::size_t>(rank); }

}  // namespace

Room::Room(std::size_t max_series) : max_series_(max_series) {
  for (std::size_t i = 0; i < kRanks; ++i) {
    ranks_[i].most = max_series - max_series * (100 - kParts[i].most) / 100;
    ranks_[i].sure = max_series * kParts[i].sure / 100;
  }
  add_writer("health", Rank::health);  // kHealth
}

Writer Room::add_writer(std::string name, Rank rank) {
  Writer writer = static_cast<Writer>(writers_.size());
  if (free_.empty()) {
    writers_.emplace_back();
  } else {
    writer = free_.back();
    free_.pop_back();
    writers_[writer] = {};
  }
  writers_[writer].stats.name = std::move(name);
  writers_[writer].stats.rank = rank;
  ranked(writer).by_size.emplace(0, writer);
  return writer;
}

// Its number is given to another one when its last series has gone.
void Room::remove_writer(Writer writer) {
  writers_[writer].removed = true;
  resize(writer, 0);
}

void Room::resize(Writer writer, int by) {
  Entry& entry = writers_[writer];
  Ranked& all = ranked(writer);
  all.by_size.erase({entry.stats.series, writer});
  entry.stats.series += static_cast<std::size_t>(by);
  all.series += static_cast<std::size_t>(by);
  if (entry.stats.series == 0 && entry.removed) free_.push_back(writer);
  else all.by_size.emplace(entry.stats.series, writer);
}

const Room::Entry* Room::largest_of(Rank rank) const {
  const auto& by_size = ranks_[index(rank)].by_size;
  if (by_size.empty() || by_size.rbegin()->first == 0) return nullptr;
  return &writers_[by_size.rbegin()->second];
}

const WriterStats* Room::largest() const {
  const Entry* found = largest_of(Rank::measured);
  return found ? &found->stats : nullptr;
}

std::vector<Shortage> Room::take_short_of_room() {
  std::vector<Shortage> out;
  for (const Writer writer : std::exchange(short_of_room_, {}))
    if (std::exchange(writers_[writer].noted, false)) out.push_back(std::exchange(writers_[writer].since, {}));
  return out;
}

Shortage& Room::note(Writer writer) {
  Entry& entry = writers_[writer];
  if (!std::exchange(entry.noted, true)) short_of_room_.push_back(writer);
  entry.since.writer = writer;
  return entry.since;
}

// Of which ranks one must go before another one of this rank may come; of none if there is room. What is kept for a
// rank counts as taken.
Room::Ranks Room::crowded(Rank rank) const {
  const Ranked& own = ranks_[index(rank)];
  Ranks out{};
  const bool is_of_rules = rank == Rank::recording || rank == Rank::alert;
  out[index(rank)] = own.series >= own.most && !is_of_rules;
  if (out[index(rank)] || own.series < own.sure) return out;
  std::size_t taken = 0;
  for (const Ranked& all : ranks_) taken += std::max(all.series, all.sure);
  if (taken < max_series_) return out;
  const bool has_its_part = own.series >= own.most;
  for (std::size_t i = 0; i < kRanks; ++i)
    out[i] = i == index(rank) || (!has_its_part && ranks_[i].series > ranks_[i].sure);
  return out;
}

std::optional<SeriesId> Room::oldest_ended(const Ranks& ranks) const {
  const Ended* found = nullptr;
  for (std::size_t i = 0; i < kRanks; ++i) {
    const Ended& ended = ranks_[i].ended;
    if (ranks[i] && !ended.empty() && (!found || *ended.begin() < *found->begin())) found = &ended;
  }
  if (!found) return {};
  return found->begin()->second;
}

// Whose living series makes room for one of `entry`, if any does.
const Room::Entry* Room::gives_way_to(const Entry& entry, const Ranks& ranks) const {
  const Rank rank = entry.stats.rank;
  const bool comes_first = rank == Rank::health || (rank == Rank::alert && entry.stats.series < kFew);
  if (comes_first && ranks[index(Rank::self)])
    if (const Entry* found = largest_of(Rank::self)) return found;
  const Entry* found = nullptr;
  if (rank == Rank::health) {
    for (const Rank other : {Rank::measured, Rank::recording, Rank::alert}) {
      const Entry* largest = ranks[index(other)] ? largest_of(other) : nullptr;
      if (largest && (!found || largest->stats.series > found->stats.series)) found = largest;
    }
  } else if (rank == Rank::recording || rank == Rank::alert) {
    found = largest_of(rank);
    if (found && found->stats.series <= entry.stats.series + 1) found = nullptr;
  }
  if (found || ranks_[index(rank)].series >= ranks_[index(rank)].most) return found;
  // What a rank has beyond its part, from the time when there was room, goes for those that have less than theirs.
  for (std::size_t i = 0; i < kRanks; ++i) {
    if (i == index(rank) || ranks_[i].series <= ranks_[i].most) continue;
    const Entry* largest = largest_of(static_cast<Rank>(i));
    if (largest && (!found || largest->stats.series > found->stats.series)) found = largest;
  }
  return found;
}

Room::Admission Room::ask(Writer writer) {
  Entry& entry = writers_[writer];
  if (entry.stats.rank == Rank::measured && entry.stats.series >= kMostOfWriter && !entry.ended.empty()) {
    ++note(writer).replaced;
    return {true, entry.ended.begin()->second};
  }
  const Ranks full = crowded(entry.stats.rank);
  if (full == Ranks{}) return {true, {}};
  if (const auto goes = oldest_ended(full)) return {true, goes};
  if (const Entry* from = gives_way_to(entry, full)) {
    ++note(owners_[from->ids.back()].writer).lost;
    ++lost_;
    return {true, from->ids.back()};
  }
  ++note(writer).refused;
  return {};
}

void Room::came(SeriesId id, Writer writer) {
  if (owners_.size() <= id) owners_.resize(id + 1);
  owners_[id] = {writer, {}};
  if (writer != kHealth) writers_[writer].ids.push_back(id);
  resize(writer, 1);
}

void Room::left(SeriesId id) {
  goes_on(id);
  const Writer writer = owners_[id].writer;
  Entry& entry = writers_[writer];
  if (const auto at = std::find(entry.ids.rbegin(), entry.ids.rend(), id); at != entry.ids.rend()) {
    *at = entry.ids.back();
    entry.ids.pop_back();
  }
  resize(writer, -1);
}

void Room::ended(SeriesId id, std::int64_t t) {
  goes_on(id);
  Owner& owner = owners_[id];
  owner.ended = t;
  writers_[owner.writer].ended.emplace(t, id);
  ranked(owner.writer).ended.emplace(t, id);
}

void Room::goes_on(SeriesId id) {
  Owner& owner = owners_[id];
  if (!owner.ended) return;
  writers_[owner.writer].ended.erase({*owner.ended, id});
  ranked(owner.writer).ended.erase({*owner.ended, id});
  owner.ended.reset();
}

// All by the same, so that their order stays.
void Room::shift(std::int64_t by) {
  for (Owner& owner : owners_)
    if (owner.ended) *owner.ended += by;
  const auto moved = [by](const Ended& before) {
    Ended after;
    for (const auto& [t, id] : before) after.emplace_hint(after.end(), t + by, id);
    return after;
  };
  for (Ranked& all : ranks_) all.ended = moved(all.ended);
  for (Entry& entry : writers_) entry.ended = moved(entry.ended);
}

}  // namespace store
