// Binary operators. Between vectors, each series' match group and each pair's result labels are worked out once; a step
// is a join over numbered groups.
#include <fmt/format.h>

#include <cmath>

#include "go/math.h"
#include "promql/compile.h"

namespace promql {
namespace {

double arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return a / b;
    case BinaryOp::mod: return std::fmod(a, b);
    case BinaryOp::pow: return go::pow(a, b);
    case BinaryOp::atan2: return go::atan2(a, b);
    default: return 0;
  }
}

bool compare(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::equal: return a == b;
    case BinaryOp::not_equal: return a != b;
    case BinaryOp::less: return a < b;
    case BinaryOp::greater: return a > b;
    case BinaryOp::less_equal: return a <= b;
    case BinaryOp::greater_equal: return a >= b;
    default: return false;
  }
}

// Comparisons without bool filter: the value of the left side passes or nothing does.
bool combine(const BinaryExpr& expr, double a, double b, double& out) {
  if (!is_comparison(expr.op)) {
    out = arithmetic(expr.op, a, b);
    return true;
  }
  const bool holds = compare(expr.op, a, b);
  out = expr.returns_bool ? (holds ? 1 : 0) : a;
  return holds || expr.returns_bool;
}

// 2.x left the name on atan2.
bool drops_name(const BinaryExpr& expr, const Evaluation& evaluation) {
  if (is_comparison(expr.op)) return expr.returns_bool;
  return expr.op != BinaryOp::atan2 || evaluation.v3();
}

class ScalarScalar final : public Node {
 public:
  ScalarScalar(const BinaryExpr& expr, NodePtr left, NodePtr right)
      : expr_(expr), left_(adopt(std::move(left))), right_(adopt(std::move(right))) {}

  bool scalar(Evaluation& evaluation, std::int64_t t, double& out) override {
    double a = 0;
    double b = 0;
    if (!left_->scalar(evaluation, t, a) || !right_->scalar(evaluation, t, b)) return false;
    combine(expr_, a, b, out);
    return true;
  }

 private:
  const BinaryExpr& expr_;
  Node* left_;
  Node* right_;
};

class VectorScalar final : public Node {
 public:
  VectorScalar(const BinaryExpr& expr, NodePtr left, NodePtr right)
      : expr_(expr), left_(adopt(std::move(left))), right_(adopt(std::move(right))) {}

  void forget() override {
    Node::forget();
    unnamed_.clear();
  }
  bool begin(Evaluation& evaluation, const Steps& steps) override {
    drops_name_ = drops_name(expr_, evaluation);
    return Node::begin(evaluation, steps);
  }
  const SeriesTable& series() const override { return drops_name_ ? table_ : vector_side()->series(); }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    const bool vector_left = expr_.left->type == ValueType::vector;
    double other = 0;
    if (!left_right(evaluation, t, other)) return false;
    out.clear();
    for (const Point& point : in_) {
      double v = 0;
      if (!combine(expr_, vector_left ? point.v : other, vector_left ? other : point.v, v)) continue;
      // What passes a comparison is the vector's value, on whichever side it stands.
      if (!vector_left && is_comparison(expr_.op) && !expr_.returns_bool) v = point.v;
      out.push_back({drops_name_ ? output(evaluation, point.series) : point.series, v});
    }
    return !drops_name_ || !unnamed_.merges(table_) || check_unique(evaluation, seen_, out);
  }

 private:
  Node* vector_side() const { return expr_.left->type == ValueType::vector ? left_ : right_; }
  bool left_right(Evaluation& evaluation, std::int64_t t, double& other) {
    if (expr_.left->type == ValueType::vector)
      return left_->vector(evaluation, t, in_) && right_->scalar(evaluation, t, other);
    return left_->scalar(evaluation, t, other) && right_->vector(evaluation, t, in_);
  }
  std::uint32_t output(const Evaluation& evaluation, std::uint32_t id) {
    return unnamed_.at(id, vector_side()->series(), table_, Nameless{evaluation.v3()});
  }

  const BinaryExpr& expr_;
  Node* left_;
  Node* right_;
  bool drops_name_ = true;
  Points in_;
  SeriesMap unnamed_;
  Uniqueness seen_;
};

// What both kinds of operators between vectors share: the match group of every series of either side.
class Matched : public Node {
 public:
  Matched(const BinaryExpr& expr, NodePtr left, NodePtr right)
      : expr_(expr), left_(adopt(std::move(left))), right_(adopt(std::move(right))) {}

  void forget() override {
    Node::forget();
    signatures_.clear();
    left_groups_.clear();
    right_groups_.clear();
  }
  bool begin(Evaluation& evaluation, const Steps& steps) override {
    signatures_.count_in(evaluation);
    nameless_ = {evaluation.v3()};
    return Node::begin(evaluation, steps);
  }

 protected:
  model::Labels signature(const model::Labels& labels) const {
    const VectorMatching& matching = expr_.matching;
    return matching.on ? labels_on(labels, matching.labels) : labels_ignoring(nameless_(labels), matching.labels);
  }
  std::uint32_t group(Node* side, std::uint32_t series) {
    SeriesMap& groups = side == left_ ? left_groups_ : right_groups_;
    return groups.at(series, side->series(), signatures_, [this](const model::Labels& l) { return signature(l); });
  }

  const BinaryExpr& expr_;
  Node* left_;
  Node* right_;
  Nameless nameless_{true};
  SeriesTable signatures_;
  SeriesMap left_groups_;
  SeriesMap right_groups_;
  Points left_in_;
  Points right_in_;
};

class SetOperator final : public Matched {
 public:
  using Matched::Matched;

  void forget() override {
    Matched::forget();
    left_out_.clear();
    right_out_.clear();
  }
  const SeriesTable& series() const override { return expr_.op == BinaryOp::or_ ? table_ : left_->series(); }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!left_->vector(evaluation, t, left_in_) || !right_->vector(evaluation, t, right_in_)) return false;
    out.clear();
    ++round_;
    if (expr_.op == BinaryOp::or_) {
      const auto same = [](const model::Labels& l) { return l; };
      for (const Point& point : left_in_) {
        mark(group(left_, point.series));
        out.push_back({left_out_.at(point.series, left_->series(), table_, same), point.v});
      }
      for (const Point& point : right_in_)
        if (!marked(group(right_, point.series)))
          out.push_back({right_out_.at(point.series, right_->series(), table_, same), point.v});
      return check_unique(evaluation, seen_, out);
    }
    for (const Point& point : right_in_) mark(group(right_, point.series));
    const bool keep_marked = expr_.op == BinaryOp::and_;
    for (const Point& point : left_in_)
      if (marked(group(left_, point.series)) == keep_marked) out.push_back(point);
    return true;
  }

 private:
  void mark(std::uint32_t group) {
    if (marks_.size() <= group) marks_.resize(group + 1);
    marks_[group] = round_;
  }
  bool marked(std::uint32_t group) const { return group < marks_.size() && marks_[group] == round_; }

  std::vector<std::uint64_t> marks_;
  std::uint64_t round_ = 0;
  SeriesMap left_out_;
  SeriesMap right_out_;
  Uniqueness seen_;
};

class VectorVector final : public Matched {
 public:
  VectorVector(const BinaryExpr& expr, NodePtr left, NodePtr right)
      : Matched(expr, std::move(left), std::move(right)),
        swapped_(expr.matching.cardinality == Cardinality::one_to_many),
        many_(swapped_ ? right_ : left_),
        one_(swapped_ ? left_ : right_) {}

  void forget() override {
    Matched::forget();
    results_.clear();
    last_.clear();
  }
  bool begin(Evaluation& evaluation, const Steps& steps) override {
    const bool drops = drops_name(expr_, evaluation);
    if (drops != drops_name_) forget();
    drops_name_ = drops;
    return Matched::begin(evaluation, steps);
  }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!left_->vector(evaluation, t, left_in_) || !right_->vector(evaluation, t, right_in_)) return false;
    out.clear();
    if (left_in_.empty() || right_in_.empty()) return true;
    ++round_;
    const Points& ones = swapped_ ? left_in_ : right_in_;
    if (!enter(evaluation, ones)) return false;
    const bool one_to_one = expr_.matching.cardinality == Cardinality::one_to_one;
    for (const Point& point : swapped_ ? right_in_ : left_in_) {
      const std::uint32_t id = group(many_, point.series);
      if (id >= groups_.size() || groups_[id].entered != round_) continue;
      Group& found = groups_[id];
      const Point& one = ones[found.at];
      double v = 0;
      if (!combine(expr_, swapped_ ? one.v : point.v, swapped_ ? point.v : one.v, v)) continue;
      if (one_to_one && found.used == round_)
        return evaluation.fail(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
      found.used = round_;
      const std::uint32_t result = result_of(evaluation, point.series, one.series);
      if (results_used_.size() <= result) results_used_.resize(result + 1);
      Used& used = results_used_[result];
      if (used.round == round_)
        return evaluation.fail(used.group == id
                                   ? "multiple matches for labels: grouping labels must ensure unique matches"
                                   : kSameLabelset);
      used = {round_, id};
      out.push_back({result, v});
    }
    return true;
  }

 private:
  struct Group {
    std::uint64_t entered = 0;
    std::uint64_t used = 0;
    std::size_t at = 0;  // of the element on the side that has one
  };
  struct Used {
    std::uint64_t round = 0;
    std::uint32_t group = 0;
  };
  struct Last {
    std::uint32_t one = UINT32_MAX;
    std::uint32_t result = 0;
  };

  bool enter(Evaluation& evaluation, const Points& ones) {
    for (std::size_t i = 0; i < ones.size(); ++i) {
      const std::uint32_t id = group(one_, ones[i].series);
      if (groups_.size() <= id) groups_.resize(id + 1);
      Group& entry = groups_[id];
      if (entry.entered == round_) {
        const SeriesTable& names = one_->series();
        return evaluation.fail(fmt::format(
            "found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}];many-to-many "
            "matching not allowed: matching labels must be unique on one side",
            go_labels(signatures_[id]), swapped_ ? "left" : "right", go_labels(names[ones[i].series]),
            go_labels(names[ones[entry.at].series])));
      }
      entry.entered = round_;
      entry.at = i;
    }
    return true;
  }

  std::uint32_t result_of(const Evaluation& evaluation, std::uint32_t many, std::uint32_t one) {
    if (last_.size() <= many) last_.resize(many + 1);
    Last& last = last_[many];
    if (last.one == one) return last.result;
    const std::uint64_t pair = (std::uint64_t{many} << 32) | one;
    const auto [found, is_new] = results_.try_emplace(pair, 0);
    if (is_new) found->second = table_.intern(labels_of(evaluation, many_->series()[many], one_->series()[one]));
    last = {one, found->second};
    return found->second;
  }

  model::Labels labels_of(const Evaluation& evaluation, const model::Labels& many, const model::Labels& one) const {
    const VectorMatching& matching = expr_.matching;
    model::Labels labels = drops_name_ ? Nameless{evaluation.v3()}(many) : many;
    if (matching.cardinality == Cardinality::one_to_one) {
      if (matching.on) return labels_on(labels, matching.labels);
      for (const std::string& name : matching.labels) labels = labels.without(name);
      return labels;
    }
    for (const std::string& name : matching.include) labels = labels.with(name, one.get(name));
    return labels;
  }

  bool swapped_;
  Node* many_;
  Node* one_;
  bool drops_name_ = true;
  std::vector<Group> groups_;
  std::vector<Used> results_used_;
  std::vector<Last> last_;
  std::unordered_map<std::uint64_t, std::uint32_t> results_;
  std::uint64_t round_ = 0;
};

class UnaryMinus final : public Node {
 public:
  explicit UnaryMinus(NodePtr inner) : inner_(adopt(std::move(inner))) {}

  void forget() override {
    Node::forget();
    unnamed_.clear();
  }
  bool begin(Evaluation& evaluation, const Steps& steps) override {
    seen_.restart();
    return Node::begin(evaluation, steps);
  }
  bool scalar(Evaluation& evaluation, std::int64_t t, double& out) override {
    if (!inner_->scalar(evaluation, t, out)) return false;
    out = -out;
    return true;
  }
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!inner_->vector(evaluation, t, in_)) return false;
    out.clear();
    if (inner_->series().size() > 0) output(evaluation, inner_->series().size() - 1);
    for (const Point& point : in_) {
      const std::uint32_t id = output(evaluation, point.series);
      if (unnamed_.merges(table_) && !seen_.claim(id, point.series)) return evaluation.fail(kSameLabelset);
      out.push_back({id, -point.v});
    }
    return true;
  }

 private:
  std::uint32_t output(const Evaluation& evaluation, std::uint32_t id) {
    return unnamed_.at(id, inner_->series(), table_, Nameless{evaluation.v3()});
  }

  Node* inner_;
  Points in_;
  SeriesMap unnamed_;
  Uniqueness seen_;
};

}  // namespace

NodePtr make_binary(const BinaryExpr& expr, NodePtr left, NodePtr right) {
  if (expr.type == ValueType::scalar) return std::make_unique<ScalarScalar>(expr, std::move(left), std::move(right));
  if (expr.left->type == ValueType::scalar || expr.right->type == ValueType::scalar)
    return std::make_unique<VectorScalar>(expr, std::move(left), std::move(right));
  if (is_set_operator(expr.op)) return std::make_unique<SetOperator>(expr, std::move(left), std::move(right));
  return std::make_unique<VectorVector>(expr, std::move(left), std::move(right));
}

NodePtr make_unary_minus(NodePtr inner) { return std::make_unique<UnaryMinus>(std::move(inner)); }

}  // namespace promql
