// Where the engine gets samples from. One evaluation sees one unchanging picture.
#pragma once

#include <cstdint>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/sample.h"

namespace promql {

struct SeriesRef {
  std::uint64_t id = 0;
  model::Labels labels;
};

class Queryable {
 public:
  virtual ~Queryable() = default;
  // While this stays the same, what select() answered before is still right. An Engine keeps answers by (address,
  // generation), so an object that may take the address of a destroyed one starts with next_generation().
  virtual std::uint64_t generation() const = 0;
  // The series that match, sorted by labels in byte order.
  virtual std::vector<SeriesRef> select(const std::vector<model::Matcher>& matchers) const = 0;
  // Appends the samples with from <= t <= to, in order of time, stale markers included.
  virtual void read(std::uint64_t id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const = 0;
  // The newest sample with not_before <= t <= at; false if none. The default reads the range.
  virtual bool last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const;

  // A number that no other call in this process got.
  static std::uint64_t next_generation();
};

// Series in plain vectors, sorted on construction: for tests, for files, for the copies that workers query.
class MemoryQueryable final : public Queryable {
 public:
  struct Entry {
    model::Labels labels;
    std::vector<model::Sample> samples;
  };
  MemoryQueryable() = default;
  explicit MemoryQueryable(std::vector<Entry> entries);
  // Of two samples of one series at one time the first stays, as in Prometheus.
  void append(const model::Labels& labels, model::Sample sample);

  std::uint64_t generation() const override;
  std::vector<SeriesRef> select(const std::vector<model::Matcher>& matchers) const override;
  void read(std::uint64_t id, std::int64_t from, std::int64_t to, std::vector<model::Sample>& out) const override;
  bool last_at(std::uint64_t id, std::int64_t not_before, std::int64_t at, model::Sample& out) const override;
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::uint64_t generation_ = next_generation();
};

}  // namespace promql
