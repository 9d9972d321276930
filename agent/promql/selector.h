// The leaves that read samples: vector selectors, range selectors, subqueries.
#pragma once

#include <utility>

#include "promql/ast.h"
#include "promql/node.h"

namespace promql {

// The time that offset and @ make of the evaluation time.
class Shift {
 public:
  Shift(const At& at, std::int64_t offset_ms, SharedDurationExpr formula)
      : at_(at), offset_ms_(offset_ms), formula_(std::move(formula)) {}
  // To be called at begin(): start(), end(), step() and range() belong to the query. False after an error.
  bool bind(Evaluation& evaluation, const Steps& steps);
  std::int64_t operator()(std::int64_t t) const { return (fixed_ ? base_ : t + base_) - offset_ms_; }
  // Prometheus 2.x lets the window of a range with @ move with the steps if the function around it is evaluated anew at
  // each, starting at the right time.
  void slide_in_v2() { slides_in_v2_ = true; }
  // The newest time that is looked at up to evaluation time t. A sliding window finds nothing behind its first end,
  // because Prometheus asked the storage for no more.
  std::int64_t newest(std::int64_t t) const { return sliding_ ? limit_ : (*this)(t); }
  bool fixed() const { return fixed_; }
  std::int64_t at_modifier() const { return base_; }  // if it is fixed: the time of @

 private:
  At at_;
  std::int64_t offset_ms_;
  SharedDurationExpr formula_;
  std::int64_t base_ = 0;
  bool fixed_ = false;
  bool slides_in_v2_ = false;
  bool sliding_ = false;
  std::int64_t limit_ = 0;
};

// Series found once, and samples of each read once per evaluation if there is more than one time to look at.
class SelectedSeries {
 public:
  explicit SelectedSeries(const SelectorExpr& expr) : matchers_(expr.matchers) {}
  bool prepare(Evaluation& evaluation, bool& changed);
  const SeriesTable& table() const { return table_; }
  std::size_t size() const { return ids_.size(); }
  std::uint64_t id(std::size_t i) const { return ids_[i]; }

  bool load(Evaluation& evaluation, std::int64_t from, std::int64_t to);
  const std::vector<model::Sample>& samples(std::size_t i) const { return samples_[i]; }
  std::vector<model::Sample>& mutable_samples(std::size_t i) { return samples_[i]; }
  Sliding& sliding(std::size_t i) { return sliding_[i]; }

 private:
  std::vector<model::Matcher> matchers_;
  std::vector<std::uint64_t> ids_;
  SeriesTable table_;
  std::vector<std::vector<model::Sample>> samples_;
  std::vector<Sliding> sliding_;
};

// The newest sample of each series within the lookback.
class SelectorNode final : public Node {
 public:
  enum class Yields { value, timestamp };  // timestamp(selector) wants the sample's own time
  SelectorNode(const SelectorExpr& expr, Yields yields);

  bool prepare(Evaluation& evaluation, bool& changed) override { return selected_.prepare(evaluation, changed); }
  void forget() override { table_.clear(), without_name_.clear(), seen_.restart(); }
  bool begin(Evaluation& evaluation, const Steps& steps) override;
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override;
  const SeriesTable& series() const override { return yields_ == Yields::value ? selected_.table() : table_; }

 private:
  void push(Evaluation& evaluation, std::size_t i, const model::Sample& sample, Points& out);

  // Between the samples around t, or the last one before it.
  bool smoothed(Evaluation& evaluation, std::size_t i, std::int64_t t, model::Sample& out);

  SelectedSeries selected_;
  Shift shift_;
  Yields yields_;
  Edges edges_;  // plain where they make no difference
  bool loaded_ = false;
  bool kept_ = false;  // with @ every step finds the same: what the first one found
  Points found_;
  SeriesMap without_name_;
  Uniqueness seen_;
};

// `around` says whether the function around the range gives the same at every step if the range does.
enum class Around { constant, varying };
RangeSourcePtr make_range_selector(const MatrixExpr& expr, Around around);
RangeSourcePtr make_subquery(const SubqueryExpr& expr, NodePtr inner, Around around);

}  // namespace promql
