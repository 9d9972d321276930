#include "store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "store/postings.h"
#include "store/room.h"
#include "store/series.h"
#include "store/series_index.h"

namespace store {

struct Store::Rep {
  explicit Rep(Options o) : options(o), room(o.max_series) {}

  Series* at(SeriesId id) const { return id < slots.size() ? slots[id].get() : nullptr; }
  base::Result<> append(SeriesId id, model::Sample sample);
  base::Result<SeriesId> make(const model::Labels& labels, Writer writer);
  void remove(SeriesId id);
  const Series* known(SeriesId id, const model::Labels& labels) const {
    const Series* series = at(id);
    return series && series->labels() == labels ? series : nullptr;
  }

  Options options;
  std::vector<std::unique_ptr<Series>> slots;  // by id; null: free
  std::vector<SeriesId> free;
  SeriesIndex by_labels{[this](SeriesId id) -> const model::Labels& { return slots[id]->labels(); }};
  Postings postings;
  Room room;
  std::uint64_t generation = 1;
  std::size_t samples = 0;
  std::size_t bytes = 0;  // of all series: kept up to date, because it is asked for every second
  std::uint64_t appended = 0;
  std::uint64_t refused_old = 0;
  std::uint64_t refused_limit = 0;
  std::uint64_t evicted = 0;
};

base::Result<> Store::Rep::append(SeriesId id, model::Sample sample) {
  Series& series = *slots[id];
  const auto note_end = [&](bool ends) { ends ? room.ended(id, sample.t) : room.goes_on(id); };
  if (!series.empty() && sample.t <= series.newest().t) {
    const model::Sample newest = series.newest();
    if (sample.t == newest.t) {
      if (std::bit_cast<std::uint64_t>(sample.v) == std::bit_cast<std::uint64_t>(newest.v)) return {};
      const std::size_t before = series.bytes();
      series.replace_newest(sample.v);
      bytes += series.bytes() - before;
      note_end(model::is_stale(sample.v));
      return {};
    }
    ++refused_old;
    return base::fail(base::Kind::invalid,
                      fmt::format("the sample of {} at {} is older than the last one, at {}",
                                  series.labels().to_string(), base::format_iso8601(base::wall_from_ms(sample.t)),
                                  base::format_iso8601(base::wall_from_ms(newest.t))));
  }
  // Chunks go as a whole: none may hold much more than the time that is to be kept.
  const std::size_t before = series.bytes();
  note_end(model::is_stale(sample.v));
  series.append(sample, std::max<std::int64_t>(options.retention.count() / 8, 1));
  bytes += series.bytes() - before;
  ++samples;
  ++appended;
  return {};
}

base::Result<SeriesId> Store::Rep::make(const model::Labels& labels, Writer writer) {
  const Room::Admission admission = room.ask(writer);
  if (admission.goes) {
    remove(*admission.goes);
    ++evicted;
  }
  if (!admission.admitted) {
    ++refused_limit;
    return base::fail(base::Kind::limit,
                      fmt::format("no room for {}: storage.max_series is {}", labels.to_string(), options.max_series));
  }
  SeriesId id = static_cast<SeriesId>(slots.size());
  if (free.empty()) {
    slots.emplace_back();
  } else {
    id = free.back();
    free.pop_back();
  }
  slots[id] = std::make_unique<Series>(labels);
  bytes += slots[id]->bytes() + labels.bytes();
  by_labels.add(id, labels);
  room.came(id, writer);
  postings.add(id, labels);
  ++generation;
  return id;
}

void Store::Rep::remove(SeriesId id) {
  std::unique_ptr<Series>& series = slots[id];
  samples -= series->samples();
  bytes -= series->bytes() + series->labels().bytes();
  postings.remove(id, series->labels());
  by_labels.remove(id, series->labels());
  room.left(id);
  series.reset();
  free.push_back(id);
  ++generation;
}

Store::Store(Options options) : rep_(std::make_unique<Rep>(options)) {}
Store::~Store() = default;
Store::Store(Store&&) noexcept = default;

base::Result<SeriesId> Store::series(const model::Labels& labels, Writer writer) {
  const auto found = rep_->by_labels.find(labels);
  return found ? base::Result<SeriesId>(*found) : rep_->make(labels, writer);
}

std::optional<SeriesId> Store::find(const model::Labels& labels) const { return rep_->by_labels.find(labels); }

base::Result<> Store::append(const model::Labels& labels, model::Sample sample) {
  TRY(const SeriesId id, series(labels));
  return rep_->append(id, sample);
}

base::Result<> Store::append(SeriesId id, model::Sample sample) {
  if (!rep_->at(id)) return base::fail(base::Kind::not_found, fmt::format("there is no series with the id {}", id));
  return rep_->append(id, sample);
}

std::uint64_t Store::generation() const { return rep_->generation; }

std::vector<Found> Store::select(const std::vector<model::Matcher>& matchers) const {
  const auto labels_of = [this](SeriesId id) -> const model::Labels& { return rep_->slots[id]->labels(); };
  std::vector<Found> out;
  for (const SeriesId id : rep_->postings.find(matchers, labels_of)) out.push_back({id, labels_of(id)});
  std::sort(out.begin(), out.end(), [](const Found& a, const Found& b) { return a.labels < b.labels; });
  return out;
}

void Store::read(SeriesId id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  if (const Series* series = rep_->at(id)) series->read(from, to, out);
}

bool Store::last_at(SeriesId id, std::int64_t not_before, std::int64_t at, model::Sample& out) const {
  const Series* series = rep_->at(id);
  return series && series->last_at(not_before, at, out);
}

SeriesId Store::end() const { return static_cast<SeriesId>(rep_->slots.size()); }

const model::Labels* Store::labels(SeriesId id) const {
  const Series* series = rep_->at(id);
  return series ? &series->labels() : nullptr;
}

std::vector<Chunk> Store::chunks(SeriesId id, const model::Labels& labels, std::int64_t from, std::int64_t to) const {
  const Series* series = rep_->known(id, labels);
  return series ? series->chunks(from, to) : std::vector<Chunk>{};
}

Series::Extent Store::extent(SeriesId id, const model::Labels& labels, std::int64_t from, std::int64_t to) const {
  const Series* series = rep_->known(id, labels);
  return series ? series->extent(from, to) : Series::Extent{};
}

Writer Store::add_writer(std::string name, Rank rank) { return rep_->room.add_writer(std::move(name), rank); }
void Store::remove_writer(Writer writer) { rep_->room.remove_writer(writer); }
const WriterStats& Store::writer(Writer writer) const { return rep_->room.writer(writer); }
const WriterStats* Store::largest_writer() const { return rep_->room.largest(); }
std::vector<Shortage> Store::take_short_of_room() { return rep_->room.take_short_of_room(); }

void Store::shift(std::int64_t by) {
  rep_->room.shift(by);
  for (const std::unique_ptr<Series>& series : rep_->slots)
    if (series) series->shift(by);
}

void Store::expire(std::int64_t now) {
  for (SeriesId next = 0; next < end();) next = expire(now, next, end());
}

SeriesId Store::expire(std::int64_t now, SeriesId from, SeriesId count) {
  constexpr int kMostGone = 16;  // of hundreds of thousands each takes some 100 µs: it stands in long lists
  int gone = 0;
  const std::int64_t cutoff = now - rep_->options.retention.count();
  const SeriesId past = from + std::min(count, end() - std::min(from, end()));
  for (SeriesId id = from; id < past; ++id) {
    std::unique_ptr<Series>& series = rep_->slots[id];
    if (!series) continue;
    const std::size_t before = series->bytes();
    rep_->samples -= series->expire(cutoff);
    rep_->bytes -= before - series->bytes();
    if (!series->empty()) continue;
    rep_->remove(id);
    if (++gone == kMostGone) return id + 1;
  }
  return past;
}

Stats Store::stats() const {
  Stats out;
  out.series = rep_->by_labels.size();
  out.samples = rep_->samples;
  out.bytes = rep_->bytes;
  out.appended = rep_->appended;
  out.refused_old = rep_->refused_old;
  out.refused_limit = rep_->refused_limit;
  out.max_series = rep_->options.max_series;
  out.evicted = rep_->evicted;
  out.lost = rep_->room.lost();
  return out;
}

}  // namespace store
