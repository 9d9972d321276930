// The store as the PromQL engine sees it.
#pragma once

#include "promql/queryable.h"
#include "store/store.h"

namespace app {

class StoreQueryable final : public promql::Queryable {
 public:
  explicit StoreQueryable(const store::Store& store) : store_(store) {}
  std::uint64_t generation() const override { return store_.generation(); }
  std::vector<promql::SeriesRef> select(const std::vector<model::Matcher>& matchers) const override {
    std::vector<promql::SeriesRef> out;
    for (store::Found& found : store_.select(matchers)) out.push_back({found.id, std::move(found.labels)});
    return out;
  }
  void read(std::uint64_t id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const override {
    store_.read(static_cast<store::SeriesId>(id), from, to, out);
  }
  bool last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const override {
    return store_.last_at(static_cast<store::SeriesId>(id), not_before, at, out);
  }

 private:
  const store::Store& store_;
};

}  // namespace app
