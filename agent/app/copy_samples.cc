#include "app/copy_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

namespace app {
namespace {

struct Span {
  model::Labels labels;
  std::int64_t from, to;
};

}  // namespace

base::Result<std::unique_ptr<promql::Queryable>> copy_samples(const store::Store& store,
                                                              const std::vector<promql::Needs>& needs,
                                                              std::int64_t start, std::int64_t end) {
  std::map<store::SeriesId, Span> spans;  // selectors may overlap; each series is copied once
  for (const promql::Needs& need : needs) {
    const std::int64_t from = need.absolute ? std::numeric_limits<std::int64_t>::min() : start - need.before_ms;
    const std::int64_t to = need.absolute ? std::numeric_limits<std::int64_t>::max() : end + need.after_ms;
    for (store::Found& found : store.select(need.matchers)) {
      const auto [at, is_new] = spans.try_emplace(found.id, Span{std::move(found.labels), from, to});
      if (is_new) continue;
      at->second.from = std::min(at->second.from, from);
      at->second.to = std::max(at->second.to, to);
    }
  }
  std::vector<promql::MemoryQueryable::Entry> entries;
  entries.reserve(spans.size());
  std::size_t copied = 0;
  for (auto& [id, span] : spans) {
    promql::MemoryQueryable::Entry& entry = entries.emplace_back();
    entry.labels = std::move(span.labels);
    store.read(id, span.from, span.to, entry.samples);
    copied += entry.samples.size();
    if (copied > kCopyLimit)
      return base::fail(
          base::Kind::limit,
          fmt::format("the query needs more than {} samples of this node; narrow its selectors or its time range",
                      kCopyLimit));
  }
  return std::make_unique<promql::MemoryQueryable>(std::move(entries));
}

std::vector<model::Labels> select_series(const store::Store& store, const std::vector<model::Matcher>& matchers,
                                         std::int64_t start, std::int64_t end) {
  std::vector<model::Labels> out;
  std::vector<model::Sample> samples;
  for (store::Found& found : store.select(matchers)) {
    model::Sample last;
    if (!store.last_at(found.id, start, end, last)) continue;
    samples.clear();
    if (model::is_stale(last.v))
      store.read(found.id, start, end, samples);  // it ended in this time; did it live in it?
    if (model::is_stale(last.v) && samples.size() < 2) continue;
    out.push_back(std::move(found.labels));
  }
  return out;
}

}  // namespace app
