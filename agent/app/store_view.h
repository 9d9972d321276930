// Samples of the store for other threads: what a query reads is taken out of the store as it is, compressed, and
// decoded by who asked. A view never changes; what comes into the store later is not in it. (A sample that comes while
// the view is taken, in several turns of the loop, may be.)
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "promql/parser.h"
#include "promql/queryable.h"
#include "store/store.h"
#include "web/backend.h"

namespace app {

// All series of the store at one time, in no order.
using SeriesList = std::shared_ptr<const std::vector<promql::SeriesRef>>;

// A series and the span of its samples that is wanted.
struct Span {
  store::SeriesId id;
  model::Labels labels;
  std::int64_t from, to;
};
using Spans = std::vector<Span>;

class StoreView final : public promql::Queryable {
 public:
  struct Entry {
    model::Labels labels;
    std::vector<store::Chunk> chunks;
  };
  explicit StoreView(std::vector<Entry> entries);  // in any order

  std::uint64_t generation() const override { return generation_; }
  std::vector<promql::SeriesRef> select(const std::vector<model::Matcher>& matchers) const override;
  void read(std::uint64_t id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const override;
  bool last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const override;

 private:
  std::vector<Entry> entries_;  // sorted by labels
  std::uint64_t generation_ = next_generation();
};

// What `needs` ask for around evaluation times from `start` to `end` (milliseconds); each series once, over the widest
// span. Ends early with the asker's error.
base::Result<Spans> spans_of(const SeriesList& all, const std::vector<promql::Needs>& needs, std::int64_t start,
                             std::int64_t end, web::Asker& asker);
// The series that one of the sets matches, over the same span.
base::Result<Spans> spans_of(const SeriesList& all, const std::vector<std::vector<model::Matcher>>& sets,
                             std::int64_t start, std::int64_t end, web::Asker& asker);

}  // namespace app
