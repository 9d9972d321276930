#include "promql/queryable.h"

#include <algorithm>
#include <atomic>

namespace promql {
namespace {

using Samples = std::vector<model::Sample>;

Samples::const_iterator first_from(const Samples& samples, std::int64_t t) {
  return std::lower_bound(samples.begin(), samples.end(), t,
                          [](const model::Sample& sample, std::int64_t limit) { return sample.t < limit; });
}

Samples::const_iterator first_after(const Samples& samples, std::int64_t t) {
  return std::upper_bound(samples.begin(), samples.end(), t,
                          [](std::int64_t limit, const model::Sample& sample) { return limit < sample.t; });
}

}  // namespace

bool Queryable::last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const {
  Samples samples;
  read(id, not_before, at, samples);
  if (samples.empty()) return false;
  out = samples.back();
  return true;
}

std::uint64_t Queryable::next_generation() {
  // From the upper half, so that a store that simply counts from 1 never meets one of these.
  static std::atomic<std::uint64_t> next{std::uint64_t{1} << 63};
  return next.fetch_add(1, std::memory_order_relaxed);
}

MemoryQueryable::MemoryQueryable(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.labels < b.labels; });
  for (Entry& entry : entries_)
    std::stable_sort(entry.samples.begin(), entry.samples.end(),
                     [](const model::Sample& a, const model::Sample& b) { return a.t < b.t; });
}

void MemoryQueryable::append(const model::Labels& labels, model::Sample sample) {
  auto at = std::lower_bound(entries_.begin(), entries_.end(), labels,
                             [](const Entry& entry, const model::Labels& wanted) { return entry.labels < wanted; });
  if (at == entries_.end() || at->labels != labels) {
    at = entries_.insert(at, Entry{labels, {}});
    generation_ = next_generation();
  }
  const auto after = first_after(at->samples, sample.t);
  if (after != at->samples.begin() && std::prev(after)->t == sample.t) return;
  at->samples.insert(after, sample);
}

std::uint64_t MemoryQueryable::generation() const { return generation_; }

std::vector<SeriesRef> MemoryQueryable::select(const std::vector<model::Matcher>& matchers) const {
  std::vector<SeriesRef> out;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (model::matches_all(matchers, entries_[i].labels)) out.push_back({i, entries_[i].labels});
  return out;
}

void MemoryQueryable::read(std::uint64_t id, std::int64_t from, std::int64_t to,
                           std::vector<model::Sample>& out) const {
  if (from > to) return;
  const Samples& samples = entries_[id].samples;
  out.insert(out.end(), first_from(samples, from), first_after(samples, to));
}

bool MemoryQueryable::last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const {
  const Samples& samples = entries_[id].samples;
  const auto after = first_after(samples, at);
  if (after == samples.begin() || std::prev(after)->t < not_before) return false;
  out = *std::prev(after);
  return true;
}

}  // namespace promql
