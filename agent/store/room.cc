#include "store/room.h"

#include <algorithm>

namespace store {
namespace {

constexpr std::size_t kKeptBack = 10;  // one part of so many is the agent's own

}  // namespace

Room::Room(std::size_t max_series)
    : max_series_(max_series), most_measured_(max_series - max_series / kKeptBack), writers_(1) {
  writers_[kAgent].stats.name = "the agent itself";
}

Writer Room::add_writer(std::string name) {
  Writer writer = static_cast<Writer>(writers_.size());
  if (free_.empty()) {
    writers_.emplace_back();
  } else {
    writer = free_.back();
    free_.pop_back();
    writers_[writer] = {};
  }
  writers_[writer].stats.name = std::move(name);
  return writer;
}

// Its number is given to another one when its last series has gone.
void Room::remove_writer(Writer writer) {
  writers_[writer].removed = true;
  if (writers_[writer].stats.series == 0) free_.push_back(writer);
}

const WriterStats* Room::largest() const {
  const Entry* found = nullptr;
  for (std::size_t i = kAgent + 1; i < writers_.size(); ++i)
    if (writers_[i].stats.series > (found ? found->stats.series : 0)) found = &writers_[i];
  return found ? &found->stats : nullptr;
}

std::vector<Writer> Room::take_short_of_room() {
  for (const Writer writer : short_of_room_) writers_[writer].noted = false;
  return std::exchange(short_of_room_, {});
}

void Room::note(Writer writer) {
  if (!std::exchange(writers_[writer].noted, true)) short_of_room_.push_back(writer);
}

std::optional<SeriesId> Room::oldest(const Ended& ended) const {
  if (ended.empty()) return {};
  return ended.begin()->second;
}

std::optional<SeriesId> Room::one_of_the_largest() const {
  const Entry* found = nullptr;
  for (std::size_t i = kAgent + 1; i < writers_.size(); ++i)
    if (writers_[i].ids.size() > (found ? found->ids.size() : 0)) found = &writers_[i];
  if (!found) return {};
  return found->ids.back();
}

Room::Admission Room::refuse(Writer writer) {
  ++writers_[writer].stats.refused;
  note(writer);
  return {};
}

Room::Admission Room::ask(Writer writer) {
  Entry& entry = writers_[writer];
  if (writer != kAgent) {
    if (entry.stats.series >= kMostOfWriter && !entry.ended.empty()) {
      ++entry.stats.replaced;
      note(writer);
      return {true, oldest(entry.ended)};
    }
    const std::size_t measured = series_ - writers_[kAgent].stats.series;
    if (series_ < max_series_ && measured < most_measured_) return {true, {}};
    if (const auto goes = oldest(ended_)) return {true, goes};
    return refuse(writer);
  }
  if (series_ < max_series_) return {true, {}};
  if (const auto goes = oldest(ended_)) return {true, goes};
  if (const auto goes = oldest(entry.ended)) return {true, goes};
  if (const auto goes = one_of_the_largest()) return {true, goes};
  return refuse(writer);
}

void Room::came(SeriesId id, Writer writer) {
  if (owners_.size() <= id) owners_.resize(id + 1);
  owners_[id] = {writer, {}};
  ++series_;
  ++writers_[writer].stats.series;
  if (writer != kAgent) writers_[writer].ids.push_back(id);
}

void Room::left(SeriesId id) {
  goes_on(id);
  const Writer writer = owners_[id].writer;
  Entry& entry = writers_[writer];
  if (const auto at = std::find(entry.ids.rbegin(), entry.ids.rend(), id); at != entry.ids.rend()) {
    *at = entry.ids.back();
    entry.ids.pop_back();
  }
  --series_;
  if (--entry.stats.series == 0 && entry.removed) free_.push_back(writer);
}

void Room::ended(SeriesId id, std::int64_t t) {
  goes_on(id);
  Owner& owner = owners_[id];
  owner.ended = t;
  writers_[owner.writer].ended.emplace(t, id);
  if (owner.writer != kAgent) ended_.emplace(t, id);
}

void Room::goes_on(SeriesId id) {
  Owner& owner = owners_[id];
  if (!owner.ended) return;
  writers_[owner.writer].ended.erase({*owner.ended, id});
  ended_.erase({*owner.ended, id});
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
  ended_ = moved(ended_);
  for (Entry& entry : writers_) entry.ended = moved(entry.ended);
}

}  // namespace store
