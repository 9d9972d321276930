#include "app/store_view.h"

#include <algorithm>
#include <limits>

namespace app {
namespace {

constexpr std::size_t kQuestionEvery = 1024;  // series that are looked at between two questions to the asker

// Calls each(series) for all of them, and asks now and then whether it is still wanted.
template <typename Each>
base::Result<> for_each(const std::vector<promql::SeriesRef>& all, std::size_t& looked, web::Asker& asker, Each each) {
  for (const promql::SeriesRef& series : all) {
    if (++looked % kQuestionEvery == 0) TRY_VOID(asker.still_wanted());
    each(series);
  }
  return {};
}

}  // namespace

StoreView::StoreView(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.labels < b.labels; });
}

std::vector<promql::SeriesRef> StoreView::select(const std::vector<model::Matcher>& matchers) const {
  std::vector<promql::SeriesRef> out;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (model::matches_all(matchers, entries_[i].labels)) out.push_back({i, entries_[i].labels});
  return out;
}

void StoreView::read(std::uint64_t id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const {
  const std::vector<store::Chunk>& chunks = entries_[id].chunks;
  const auto first =
      std::partition_point(chunks.begin(), chunks.end(), [&](const store::Chunk& c) { return c.last_t < from; });
  const auto last = std::partition_point(first, chunks.end(), [&](const store::Chunk& c) { return c.first_t <= to; });
  std::size_t most = out.size();
  for (auto chunk = first; chunk != last; ++chunk) most += chunk->count;
  out.reserve(most);
  for (auto chunk = first; chunk != last; ++chunk) chunk->read(from, to, out);
}

bool StoreView::last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const {
  const std::vector<store::Chunk>& chunks = entries_[id].chunks;
  const auto after =
      std::partition_point(chunks.begin(), chunks.end(), [&](const store::Chunk& c) { return c.first_t <= at; });
  if (after == chunks.begin() || std::prev(after)->last_t < not_before) return false;
  out = std::prev(after)->last_at(at);
  return out.t >= not_before;
}

base::Result<Spans> spans_of(const SeriesList& all, const std::vector<promql::Needs>& needs, std::int64_t start,
                             std::int64_t end, web::Asker& asker) {
  Spans out;
  std::size_t looked = 0;
  TRY_VOID(for_each(*all, looked, asker, [&](const promql::SeriesRef& series) {
    bool wanted = false;
    Span span{static_cast<store::SeriesId>(series.id), {}, 0, 0};
    for (const promql::Needs& need : needs) {
      if (!model::matches_all(need.matchers, series.labels)) continue;
      const std::int64_t from = need.absolute ? std::numeric_limits<std::int64_t>::min() : start - need.before_ms;
      const std::int64_t to = need.absolute ? std::numeric_limits<std::int64_t>::max() : end + need.after_ms;
      span.from = wanted ? std::min(span.from, from) : from;
      span.to = wanted ? std::max(span.to, to) : to;
      wanted = true;
    }
    if (!wanted) return;
    span.labels = series.labels;
    out.push_back(std::move(span));
  }));
  return out;
}

base::Result<Spans> spans_of(const SeriesList& all, const std::vector<std::vector<model::Matcher>>& sets,
                             std::int64_t start, std::int64_t end, web::Asker& asker) {
  Spans out;
  std::vector<bool> taken(all->size());
  std::size_t looked = 0;
  for (const std::vector<model::Matcher>& set : sets) {
    std::size_t i = 0;
    TRY_VOID(for_each(*all, looked, asker, [&](const promql::SeriesRef& series) {
      if (const std::size_t at = i++; !taken[at] && model::matches_all(set, series.labels)) {
        taken[at] = true;
        out.push_back({static_cast<store::SeriesId>(series.id), series.labels, start, end});
      }
    }));
  }
  return out;
}

}  // namespace app
