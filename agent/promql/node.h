// What an expression becomes before it runs: a tree of nodes, each of which computes its value at one time after the
// other. A node's series are numbered once and kept for as long as the selectors find the same series; a step then
// moves only numbers: (series, value) pairs, without labels, hashes or allocations.
//
// Life of a node: prepare() whenever the data's generation may have changed; then, for every evaluation, begin() with
// the times to come, and vector() or scalar() for each of them in ascending order. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/duration_expr.h"
#include "promql/edges.h"
#include "promql/engine.h"
#include "promql/queryable.h"

namespace promql {

struct Evaluation;

// Series numbered from 0, each label set once.
class SeriesTable {
 public:
  // Label sets that are new from now on count in this evaluation, which lives until the next call. When it may not hold
  // them, they become one empty set, and the evaluation has its error.
  void count_in(Evaluation& evaluation) { evaluation_ = &evaluation; }
  std::uint32_t intern(const model::Labels& labels);
  // For labels that are known to be new: costs no hash until they are interned.
  void append(const model::Labels& labels) { labels_.push_back(labels); }
  const model::Labels& operator[](std::uint32_t id) const { return labels_[id]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(labels_.size()); }
  void clear();

 private:
  std::vector<model::Labels> labels_;
  std::unordered_map<model::Labels, std::uint32_t, model::LabelsHash> ids_;
  Evaluation* evaluation_ = nullptr;
};

struct Point {
  std::uint32_t series;
  double v;
};
using Points = std::vector<Point>;

// The times start, start+step … up to end; one time if start == end.
struct Steps {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t step = 1;
  bool single() const { return start == end; }
};

// One evaluation: what all nodes share. The first error stays.
struct Evaluation {
  const Queryable* data = nullptr;
  const EngineOptions* options = nullptr;
  std::vector<Annotation>* annotations = nullptr;
  std::int64_t start = 0;  // of the whole query: @ start()
  std::int64_t end = 0;
  std::int64_t step = 0;  // of a range query
  base::Instant deadline{};
  std::size_t samples = 0;
  std::int64_t looked_at = 0;  // samples, as Prometheus counts them: in each step, but not inside of subqueries
  int in_subqueries = 0;
  std::size_t label_bytes = 0;
  std::size_t place_bytes = 0;    // of what nodes keep for the series that they know
  std::size_t reserved = 0;       // bytes that options->reserve was told
  base::Instant next_question{};  // whether the client still waits
  std::uint32_t ticks = 0;
  base::Error error{};
  std::vector<model::Sample> scratch;  // of the window that is read right now

  bool v3() const { return options->compat == Compat::v3; }
  QueryTimes times() const { return {step, end - start}; }
  bool fail(base::Kind kind, std::string text);
  bool fail(std::string text) { return fail(base::Kind::invalid, std::move(text)); }
  bool hold(std::size_t more);             // counts samples held in memory; false over the limit, and after any error
  bool hold(const model::Labels& labels);  // the same of a label set that was made
  bool hold_places(std::size_t series);    // and of series that a selector found
  void count(std::size_t more) {
    if (in_subqueries == 0) looked_at += static_cast<std::int64_t>(more);
  }
  // Called often; looks at the clock and the cancel flag now and then.
  bool tick() { return (++ticks & 255u) != 0 || still_wanted(); }
  bool still_wanted();
  bool reserve();
  // `begin` is the byte of the text that it is about. A text that comes again only moves, as it does in Prometheus.
  void annotate(std::string text, std::size_t begin);
};

class Node {
 public:
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node() = default;

  // Asks selectors for their series again; `changed` becomes true if any finds others than before. False, with the
  // error, if the evaluation may not hold them.
  virtual bool prepare(Evaluation& evaluation, bool& changed);
  // Drops everything that was worked out from the series.
  virtual void forget();
  virtual bool begin(Evaluation& evaluation, const Steps& steps);
  // Overwrites `out`. False after an error.
  virtual bool vector(Evaluation& evaluation, std::int64_t t, Points& out);
  virtual bool scalar(Evaluation& evaluation, std::int64_t t, double& out);
  // What the numbers of vector() mean. Only grows between two forget().
  virtual const SeriesTable& series() const { return table_; }

 protected:
  Node* adopt(std::unique_ptr<Node> child);  // null stays null

  SeriesTable table_;

 private:
  std::vector<std::unique_ptr<Node>> children_;
};
using NodePtr = std::unique_ptr<Node>;

// From the series of one node to those of another, worked out once per series.
class SeriesMap {
 public:
  void clear() { ids_.clear(); }
  template <typename Relabel>
  std::uint32_t at(std::uint32_t id, const SeriesTable& from, SeriesTable& to, Relabel&& relabel) {
    while (ids_.size() <= id) ids_.push_back(to.intern(relabel(from[static_cast<std::uint32_t>(ids_.size())])));
    return ids_[id];
  }
  // Whether two series became one: only then can a step have duplicates.
  bool merges(const SeriesTable& to) const { return to.size() < ids_.size(); }

 private:
  std::vector<std::uint32_t> ids_;
};

// What arithmetic and functions leave of a series' labels: all but the metric's name and, in 3.x, the labels that
// describe the metric, __type__ and __unit__.
struct Nameless {
  bool v3;

  model::Labels operator()(const model::Labels& labels) const;
};

// Refuses a series that appears twice: Prometheus' "same labelset" error. Between two restart() each number may come
// from one source only.
class Uniqueness {
 public:
  void restart() { ++round_; }
  bool claim(std::uint32_t id, std::uint32_t source) {
    if (owners_.size() <= id) owners_.resize(id + 1);
    Owner& owner = owners_[id];
    if (owner.round == round_) return owner.source == source;
    owner = {round_, source};
    return true;
  }

 private:
  struct Owner {
    std::uint64_t round = 0;
    std::uint32_t source = 0;
  };
  std::vector<Owner> owners_;
  std::uint64_t round_ = 0;
};

inline constexpr const char* kSameLabelset = "vector cannot contain metrics with the same labelset";

// False, with the error, if a series appears twice.
bool check_unique(Evaluation& evaluation, Uniqueness& seen, const Points& points);

// A range selector or subquery: for each series the samples of a window that ends at the evaluation time.
class RangeSource {
 public:
  virtual ~RangeSource() = default;
  virtual bool prepare(Evaluation& evaluation, bool& changed) = 0;
  virtual void forget() = 0;
  virtual bool begin(Evaluation& evaluation, const Steps& steps) = 0;
  // The samples of one series; valid until the next call. Empty if there are none. False after an error. Of edges that
  // are not plain, also those around the window (promql/edges.h).
  virtual bool window(Evaluation& evaluation, std::uint32_t series, std::int64_t t,
                      std::span<const model::Sample>& out) = 0;
  virtual const SeriesTable& series() const = 0;
  // Where the window for evaluation time t starts and ends.
  using Bounds = promql::Bounds;
  virtual Bounds bounds(std::int64_t t) const = 0;
  virtual Edges edges() const { return Edges::plain; }
};
using RangeSourcePtr = std::unique_ptr<RangeSource>;

// A window that moves forwards over the samples of a series that were read once.
class Sliding {
 public:
  void restart() { low_ = high_ = 0; }
  std::span<const model::Sample> at(const std::vector<model::Sample>& samples, std::int64_t from, std::int64_t to) {
    while (high_ < samples.size() && samples[high_].t <= to) ++high_;
    while (low_ < high_ && samples[low_].t < from) ++low_;
    return {samples.data() + low_, high_ - low_};
  }

 private:
  std::size_t low_ = 0;
  std::size_t high_ = 0;
};

}  // namespace promql
