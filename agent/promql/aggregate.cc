// sum, avg … quantile. The group of each series is worked out once; a step adds numbers to the groups' accumulators.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "go/format.h"
#include "promql/compile.h"
#include "promql/functions/range_function.h"

namespace promql {
namespace {

class Grouping {
 public:
  explicit Grouping(const AggregateExpr& expr) : names_(expr.grouping), without_(expr.without) {}
  model::Labels operator()(const model::Labels& labels) const {
    if (without_) return labels_ignoring(labels, names_);
    return names_.empty() ? model::Labels() : labels_on(labels, names_);
  }

 private:
  std::vector<std::string> names_;
  bool without_;
};

// One group's state within a step.
struct Accumulator {
  std::uint64_t round = 0;  // the step it belongs to
  double n = 0;
  double value = 0;
  double mean = 0;
  double error = 0;
  Mean exact_mean;
};

class AggregateNode : public Node {
 public:
  AggregateNode(const AggregateExpr& expr, NodePtr parameter, NodePtr inner)
      : op_(expr.op),
        group_of_(expr),
        at_(expr.parameter ? remark_position(*expr.parameter) : 0),
        parameter_(adopt(std::move(parameter))),
        inner_(adopt(std::move(inner))) {}

  void forget() override {
    Node::forget();
    groups_.clear();
  }

 protected:
  std::uint32_t group(std::uint32_t series) { return groups_.at(series, inner_->series(), table_, group_of_); }

  AggregateOp op_;
  Grouping group_of_;
  std::size_t at_;  // of the parameter
  SeriesMap groups_;
  Node* parameter_;
  Node* inner_;
  Points in_;
};

class Fold final : public AggregateNode {
 public:
  using AggregateNode::AggregateNode;

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!inner_->vector(evaluation, t, in_)) return false;
    ++round_;
    order_.clear();
    const bool v3 = evaluation.v3();
    for (const Point& point : in_) {
      const std::uint32_t id = group(point.series);
      if (accumulators_.size() <= id) accumulators_.resize(table_.size());
      Accumulator& a = accumulators_[id];
      if (a.round != round_) {
        start(a, point.v, v3);
        order_.push_back(id);
      } else {
        add(a, point.v, v3);
      }
    }
    out.clear();
    for (const std::uint32_t id : order_) out.push_back({id, result(accumulators_[id], v3)});
    return true;
  }

 private:
  void start(Accumulator& a, double v, bool v3) const {
    a = Accumulator{round_, 1, v, v, 0, {}};
    if (op_ == AggregateOp::stddev || op_ == AggregateOp::stdvar) a.value = v3 && !std::isfinite(v) ? std::nan("") : 0;
    if (op_ == AggregateOp::avg && v3) a.exact_mean.add(v);
  }

  void add(Accumulator& a, double v, bool v3) const {
    ++a.n;
    switch (op_) {
      case AggregateOp::sum:
        if (v3) add_exactly_v3(v, a.value, a.error);
        else a.value += v;
        break;
      case AggregateOp::avg:
        if (v3) {
          a.exact_mean.add(v);
          break;
        }
        if (std::isinf(a.mean)) {
          if (std::isinf(v) && (a.mean > 0) == (v > 0)) break;
          if (!std::isinf(v) && !std::isnan(v)) break;
        }
        a.mean += v / a.n - a.mean / a.n;  // divided apart, so that large values do not overflow
        break;
      case AggregateOp::min:
        if (a.value > v || std::isnan(a.value)) a.value = v;
        break;
      case AggregateOp::max:
        if (a.value < v || std::isnan(a.value)) a.value = v;
        break;
      case AggregateOp::stddev:
      case AggregateOp::stdvar: {
        const double delta = v - a.mean;
        a.mean += delta / a.n;
        a.value += delta * (v - a.mean);
        break;
      }
      default: break;
    }
  }

  double result(const Accumulator& a, bool v3) const {
    switch (op_) {
      case AggregateOp::sum: return v3 ? a.value + a.error : a.value;
      case AggregateOp::avg: return v3 ? a.exact_mean.value() : a.mean;
      case AggregateOp::count: return a.n;
      case AggregateOp::group: return 1;
      case AggregateOp::stdvar: return a.value / a.n;
      case AggregateOp::stddev: return std::sqrt(a.value / a.n);
      default: return a.value;
    }
  }

  std::vector<Accumulator> accumulators_;
  std::vector<std::uint32_t> order_;  // groups in the order in which they came up
  std::uint64_t round_ = 0;
};

// Collects the members of each group, then makes of each group what the derived class wants.
class Gather : public AggregateNode {
 public:
  using AggregateNode::AggregateNode;

 protected:
  bool gather(Evaluation& evaluation, std::int64_t t) {
    for (const std::uint32_t id : order_) members_[id].clear();
    order_.clear();
    if (!inner_->vector(evaluation, t, in_)) return false;
    for (const Point& point : in_) {
      const std::uint32_t id = group(point.series);
      if (members_.size() <= id) members_.resize(table_.size());
      if (members_[id].empty()) order_.push_back(id);
      members_[id].push_back(point);
    }
    return true;
  }

  std::vector<Points> members_;
  std::vector<std::uint32_t> order_;
};

class Quantile final : public Gather {
 public:
  using Gather::Gather;

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    double q = 0;
    if (!parameter_->scalar(evaluation, t, q) || !gather(evaluation, t)) return false;
    if (evaluation.v3() && !(q >= 0 && q <= 1))
      evaluation.annotate(
          fmt::format("PromQL warning: quantile value should be between 0 and 1, got {}", go::format_float(q, 'g', -1)),
          at_);
    out.clear();
    for (const std::uint32_t id : order_) {
      values_.clear();
      for (const Point& point : members_[id]) values_.push_back(point.v);
      out.push_back({id, quantile(q, values_)});
    }
    return true;
  }

 private:
  std::vector<double> values_;
};

// topk and bottomk: the series keep their labels, so that the numbers are those of the inner node.
class Ranked final : public Gather {
 public:
  using Gather::Gather;
  const SeriesTable& series() const override { return inner_->series(); }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    double k = 0;
    if (!parameter_->scalar(evaluation, t, k)) return false;
    // The largest double that Go converts; NaN fails as well.
    if (!(k <= 9223372036854774784.0 && k >= -9223372036854775808.0))
      return evaluation.fail(fmt::format("Scalar value {} overflows int64", go::format_float(k, 'g', -1)));
    out.clear();
    const auto limit = static_cast<std::int64_t>(k);
    if (!gather(evaluation, t) || limit < 1) return evaluation.error.text.empty();
    for (const std::uint32_t id : order_) {
      Points& members = members_[id];
      const bool top = op_ == AggregateOp::topk;
      // NaN comes last; among equals the earlier one stays in front.
      std::stable_sort(members.begin(), members.end(), [top](const Point& a, const Point& b) {
        if (std::isnan(a.v) || std::isnan(b.v)) return !std::isnan(a.v);
        return top ? a.v > b.v : a.v < b.v;
      });
      const auto kept = std::min<std::uint64_t>(members.size(), static_cast<std::uint64_t>(limit));
      out.insert(out.end(), members.begin(), members.begin() + static_cast<std::ptrdiff_t>(kept));
    }
    return true;
  }
};

class CountValues final : public AggregateNode {
 public:
  CountValues(const AggregateExpr& expr, NodePtr inner)
      : AggregateNode(expr, nullptr, std::move(inner)),
        label_(as<StringExpr>(unwrapped(*expr.parameter)).value),
        drops_label_(expr.without &&
                     std::find(expr.grouping.begin(), expr.grouping.end(), label_) != expr.grouping.end()) {}

  void forget() override {
    AggregateNode::forget();
    out_.clear();
  }
  bool begin(Evaluation& evaluation, const Steps& steps) override {
    out_.count_in(evaluation);
    return AggregateNode::begin(evaluation, steps);
  }
  const SeriesTable& series() const override { return out_; }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!valid_label_name(label_, evaluation.options->compat))
      return evaluation.fail("invalid label name " + go::quote(label_));
    if (!inner_->vector(evaluation, t, in_)) return false;
    out.clear();
    position_.clear();
    for (const Point& point : in_) {
      const model::Labels& labels = table_[group(point.series)];
      const std::uint32_t id =
          out_.intern(drops_label_ ? labels : labels.with(label_, go::format_float(point.v, 'f', -1)));
      const auto [found, is_new] = position_.emplace(id, out.size());
      if (is_new) out.push_back({id, 1});
      else ++out[found->second].v;
    }
    return true;
  }

 private:
  std::string label_;
  bool drops_label_;  // without (label): the value never shows
  SeriesTable out_;
  std::unordered_map<std::uint32_t, std::size_t> position_;
};

}  // namespace

NodePtr make_aggregate(const AggregateExpr& expr, NodePtr parameter, NodePtr inner) {
  switch (expr.op) {
    case AggregateOp::quantile: return std::make_unique<Quantile>(expr, std::move(parameter), std::move(inner));
    case AggregateOp::topk:
    case AggregateOp::bottomk: return std::make_unique<Ranked>(expr, std::move(parameter), std::move(inner));
    case AggregateOp::count_values: return std::make_unique<CountValues>(expr, std::move(inner));
    default: return std::make_unique<Fold>(expr, nullptr, std::move(inner));
  }
}

}  // namespace promql
