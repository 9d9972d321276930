#include "app/store_view.h"

#include <algorithm>
#include <limits>

namespace app {
namespace {

constexpr std::size_t kQuestionEvery = 4096;  // selectors that are tried on a series between two questions to the asker

// Tries a selector on a series, and asks now and then whether it is still wanted.
class Trial {
 public:
  explicit Trial(web::Asker& asker) : asker_(asker) {}
  base::Result<bool> matches(const std::vector<model::Matcher>& matchers, const model::Labels& labels) {
    if (++tried_ % kQuestionEvery == 0) TRY_VOID(asker_.still_wanted());
    return model::matches_all(matchers, labels);
  }

 private:
  web::Asker& asker_;
  std::size_t tried_ = 0;
};

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
  for (auto chunk = first; chunk != last; ++chunk) most += chunk->count_between(from, to);
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
  Trial trial(asker);
  for (const promql::SeriesRef& series : *all) {
    bool wanted = false;
    std::int64_t from = 0, to = 0;
    for (const promql::Needs& need : needs) {
      TRY(const bool matches, trial.matches(need.matchers, series.labels));
      if (!matches) continue;
      const std::int64_t first = need.absolute ? std::numeric_limits<std::int64_t>::min() : start - need.before_ms;
      const std::int64_t last = need.absolute ? std::numeric_limits<std::int64_t>::max() : end + need.after_ms;
      from = wanted ? std::min(from, first) : first;
      to = wanted ? std::max(to, last) : last;
      wanted = true;
    }
    if (wanted) out.push_back({static_cast<store::SeriesId>(series.id), series.labels, from, to});
  }
  return out;
}

base::Result<Spans> spans_of(const SeriesList& all, const std::vector<std::vector<model::Matcher>>& sets,
                             std::int64_t start, std::int64_t end, web::Asker& asker) {
  Spans out;
  Trial trial(asker);
  for (const promql::SeriesRef& series : *all) {
    bool wanted = false;
    for (auto set = sets.begin(); !wanted && set != sets.end(); ++set) {
      TRY(wanted, trial.matches(*set, series.labels));
    }
    if (wanted) out.push_back({static_cast<store::SeriesId>(series.id), series.labels, start, end});
  }
  return out;
}

}  // namespace app
