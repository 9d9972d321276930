#include "promql/functions/range_function.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "go/format.h"

namespace promql {
namespace {

bool looks_like_counter(std::string_view name) {
  return name.ends_with("_total") || name.ends_with("_sum") || name.ends_with("_count") || name.ends_with("_bucket");
}

// Which functions know what to do with the samples around a window.
bool take_edges(Evaluation& evaluation, Edges edges, std::string_view function) {
  static constexpr std::array<std::string_view, 5> kAnchored{"changes", "delta", "increase", "rate", "resets"};
  static constexpr std::array<std::string_view, 3> kSmoothed{"delta", "increase", "rate"};
  if (edges == Edges::plain) return true;
  const std::span<const std::string_view> known =
      edges == Edges::anchored ? std::span<const std::string_view>(kAnchored) : kSmoothed;
  if (std::find(known.begin(), known.end(), function) != known.end()) return true;
  return evaluation.fail(fmt::format("{} modifier can only be used with: {} - not with {}", to_string(edges),
                                     fmt::join(known, ", "), function));
}

class RangeCallNode final : public Node {
 public:
  RangeCallNode(const RangeFunction& function, RangeSourcePtr source, NodePtr first, NodePtr second,
                RangeCallPlaces places)
      : function_(function),
        source_(std::move(source)),
        first_(adopt(std::move(first))),
        second_(adopt(std::move(second))),
        places_(places),
        wants_counter_(function.name == "rate" || function.name == "increase") {}

  bool prepare(Evaluation& evaluation, bool& changed) override {
    return source_->prepare(evaluation, changed) && Node::prepare(evaluation, changed);
  }

  void forget() override {
    Node::forget();
    source_->forget();
    unnamed_.clear();
    counters_.clear();
  }

  bool begin(Evaluation& evaluation, const Steps& steps) override {
    seen_.restart();
    return take_edges(evaluation, source_->edges(), function_.name) && source_->begin(evaluation, steps) &&
           Node::begin(evaluation, steps);
  }

  const SeriesTable& series() const override { return function_.keeps_name ? source_->series() : table_; }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    out.clear();
    call_.t = t;
    call_.bounds = source_->bounds(t);
    call_.edges = source_->edges();
    call_.compat = evaluation.options->compat;
    if (first_ && !first_->scalar(evaluation, t, call_.first)) return false;
    if (second_ && !second_->scalar(evaluation, t, call_.second)) return false;
    const std::uint32_t count = source_->series().size();
    // All of them, before the first is claimed: whether any merge has to be known.
    if (count > 0 && !function_.keeps_name) output(evaluation, count - 1);
    std::span<const model::Sample> window;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!source_->window(evaluation, i, t, window)) return false;
      if (window.empty()) continue;
      double v = 0;
      if (!function_.kernel(call_, window, v)) {
        if (call_.problem.empty()) continue;
        return evaluation.fail(std::exchange(call_.problem, {}));
      }
      const std::uint32_t id = function_.keeps_name ? i : output(evaluation, i);
      // Two series that differ in their names only must not even follow each other within one query.
      if (unnamed_.merges(table_) && !seen_.claim(id, i)) return evaluation.fail(kSameLabelset);
      out.push_back({id, v});
      if (wants_counter_ && evaluation.v3()) remark_no_counter(evaluation, i);
    }
    if (!out.empty() && evaluation.v3() && function_.name == "quantile_over_time" &&
        !(call_.first >= 0 && call_.first <= 1))
      evaluation.annotate(fmt::format("PromQL warning: quantile value should be between 0 and 1, got {}",
                                      go::format_float(call_.first, 'g', -1)),
                          places_.first);
    return true;
  }

 private:
  std::uint32_t output(const Evaluation& evaluation, std::uint32_t i) {
    return unnamed_.at(i, source_->series(), table_, Nameless{evaluation.v3()});
  }

  // The names are looked at once for as long as the series stay the same.
  void remark_no_counter(Evaluation& evaluation, std::uint32_t i) {
    while (counters_.size() <= i) {
      const std::string_view name = source_->series()[static_cast<std::uint32_t>(counters_.size())].metric_name();
      counters_.push_back(name.empty() || looks_like_counter(name));
    }
    if (counters_[i]) return;
    evaluation.annotate(
        fmt::format("PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                    go::quote(source_->series()[i].metric_name())),
        places_.range);
  }

  const RangeFunction& function_;
  RangeSourcePtr source_;
  Node* first_;
  Node* second_;
  RangeCallPlaces places_;
  bool wants_counter_;
  std::vector<bool> counters_;  // whether the name of the series suits one
  RangeCall call_;
  SeriesMap unnamed_;
  Uniqueness seen_;
};

class AbsentOverTime final : public Node {
 public:
  AbsentOverTime(RangeSourcePtr source, model::Labels labels)
      : source_(std::move(source)), labels_(std::move(labels)) {}

  bool prepare(Evaluation& evaluation, bool& changed) override { return source_->prepare(evaluation, changed); }
  void forget() override {
    Node::forget();
    source_->forget();
  }
  bool begin(Evaluation& evaluation, const Steps& steps) override {
    return take_edges(evaluation, source_->edges(), "absent_over_time") && source_->begin(evaluation, steps);
  }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    out.clear();
    std::span<const model::Sample> window;
    for (std::uint32_t i = 0; i < source_->series().size(); ++i) {
      if (!source_->window(evaluation, i, t, window)) return false;
      if (!window.empty()) return true;
    }
    out.push_back({table_.intern(labels_), 1});
    return true;
  }

 private:
  RangeSourcePtr source_;
  model::Labels labels_;
};

}  // namespace

NodePtr make_range_call(const RangeFunction& function, RangeSourcePtr source, NodePtr first, NodePtr second,
                        RangeCallPlaces places) {
  return std::make_unique<RangeCallNode>(function, std::move(source), std::move(first), std::move(second), places);
}

NodePtr make_absent_over_time(RangeSourcePtr source, model::Labels labels) {
  return std::make_unique<AbsentOverTime>(std::move(source), std::move(labels));
}

}  // namespace promql
