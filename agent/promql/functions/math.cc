// Functions of single numbers, sorting, and the bridges between scalars and vectors.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "go/math.h"
#include "promql/compile.h"
#include "promql/functions/elementwise.h"

namespace promql {
namespace {

using Args = std::array<double, 2>;

template <double (*f)(double)>
double plain(double v, const Args&) {
  return f(v);
}

double sign(double v, const Args&) {
  if (v < 0) return -1;
  return v > 0 ? 1 : v;
}
double to_degrees(double v, const Args&) { return v * 180 / std::numbers::pi; }
double to_radians(double v, const Args&) { return v * std::numbers::pi / 180; }
double clamp(double v, const Args& args) { return go::max(args[0], go::min(args[1], v)); }
double clamp_min(double v, const Args& args) { return go::max(args[0], v); }
double clamp_max(double v, const Args& args) { return go::min(args[0], v); }
// To the nearest multiple, halves upwards; the inverse is used because 1/0.1 is exact where 0.1 is not.
double round_to(double v, const Args& args) {
  const double inverse = 1.0 / args[0];
  return std::floor(v * inverse + 0.5) / inverse;
}

struct MathFunction {
  std::string_view name;
  ElementFunction function;
};
constexpr MathFunction kFunctions[] = {
    {"abs", plain<std::abs>},
    {"ceil", plain<std::ceil>},
    {"floor", plain<std::floor>},
    {"exp", plain<go::exp>},
    {"sqrt", plain<std::sqrt>},
    {"ln", plain<go::log>},
    {"log2", plain<go::log2>},
    {"log10", plain<go::log10>},
    {"sin", plain<go::sin>},
    {"cos", plain<go::cos>},
    {"tan", plain<go::tan>},
    {"asin", plain<go::asin>},
    {"acos", plain<go::acos>},
    {"atan", plain<go::atan>},
    {"sinh", plain<go::sinh>},
    {"cosh", plain<go::cosh>},
    {"tanh", plain<go::tanh>},
    {"asinh", plain<go::asinh>},
    {"acosh", plain<go::acosh>},
    {"atanh", plain<go::atanh>},
    {"deg", to_degrees},
    {"rad", to_radians},
    {"sgn", sign},
    {"clamp", clamp},
    {"clamp_min", clamp_min},
    {"clamp_max", clamp_max},
    {"round", round_to},
};

class Elementwise final : public Node {
 public:
  Elementwise(ElementFunction function, NodePtr inner, NodePtr first, NodePtr second)
      : function_(function),
        inner_(adopt(std::move(inner))),
        first_(adopt(std::move(first))),
        second_(adopt(std::move(second))) {}

  void forget() override {
    Node::forget();
    unnamed_.clear();
  }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    out.clear();
    Args args{};
    if (!inner_->vector(evaluation, t, in_)) return false;
    if (first_ && !first_->scalar(evaluation, t, args[0])) return false;
    if (second_ && !second_->scalar(evaluation, t, args[1])) return false;
    if (function_ == clamp && args[1] < args[0]) return true;
    for (const Point& point : in_) {
      const std::uint32_t id = unnamed_.at(point.series, inner_->series(), table_, Nameless{evaluation.v3()});
      out.push_back({id, function_(point.v, args)});
    }
    return !unnamed_.merges(table_) || check_unique(evaluation, seen_, out);
  }

 private:
  ElementFunction function_;
  Node* inner_;
  Node* first_;
  Node* second_;
  Points in_;
  SeriesMap unnamed_;
  Uniqueness seen_;
};

class Constant final : public Node {
 public:
  explicit Constant(double value) : value_(value) {}
  bool scalar(Evaluation&, std::int64_t, double& out) override {
    out = value_;
    return true;
  }

 private:
  double value_;
};

class ToVector final : public Node {
 public:
  explicit ToVector(NodePtr inner) : inner_(adopt(std::move(inner))) {}
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    double v = 0;
    if (!inner_->scalar(evaluation, t, v)) return false;
    out.clear();
    out.push_back({table_.intern({}), v});
    return true;
  }

 private:
  Node* inner_;
};

class ToScalar final : public Node {
 public:
  explicit ToScalar(NodePtr inner) : inner_(adopt(std::move(inner))) {}
  bool scalar(Evaluation& evaluation, std::int64_t t, double& out) override {
    if (!inner_->vector(evaluation, t, in_)) return false;
    out = in_.size() == 1 ? in_.front().v : std::nan("");
    return true;
  }

 private:
  Node* inner_;
  Points in_;
};

class Absent final : public Node {
 public:
  Absent(NodePtr inner, model::Labels labels) : inner_(adopt(std::move(inner))), labels_(std::move(labels)) {}
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!inner_->vector(evaluation, t, in_)) return false;
    out.clear();
    if (in_.empty()) out.push_back({table_.intern(labels_), 1});
    return true;
  }

 private:
  Node* inner_;
  model::Labels labels_;
  Points in_;
};

class Sort final : public Node {
 public:
  Sort(NodePtr inner, bool descending) : inner_(adopt(std::move(inner))), descending_(descending) {}
  const SeriesTable& series() const override { return inner_->series(); }
  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!inner_->vector(evaluation, t, out)) return false;
    std::stable_sort(out.begin(), out.end(), [this](const Point& a, const Point& b) {
      if (std::isnan(a.v) || std::isnan(b.v)) return !std::isnan(a.v) && std::isnan(b.v);
      return descending_ ? a.v > b.v : a.v < b.v;
    });
    return true;
  }

 private:
  Node* inner_;
  bool descending_;
};

}  // namespace

NodePtr make_elementwise(ElementFunction function, NodePtr inner, NodePtr first, NodePtr second) {
  return std::make_unique<Elementwise>(function, std::move(inner), std::move(first), std::move(second));
}

NodePtr make_math_call(const CallExpr& expr) {
  const std::string_view name = expr.function->name;
  const auto arg = [&](std::size_t i) { return i < expr.args.size() ? compile(*expr.args[i]) : nullptr; };
  for (const MathFunction& math : kFunctions) {
    if (math.name != name) continue;
    NodePtr first = arg(1);
    if (math.function == round_to && !first) first = std::make_unique<Constant>(1);
    return make_elementwise(math.function, arg(0), std::move(first), arg(2));
  }
  if (name == "pi") return std::make_unique<Constant>(std::numbers::pi);
  if (name == "vector") return std::make_unique<ToVector>(arg(0));
  if (name == "scalar") return std::make_unique<ToScalar>(arg(0));
  if (name == "absent") return std::make_unique<Absent>(arg(0), absent_labels(*expr.args[0]));
  if (name == "sort" || name == "sort_desc") return std::make_unique<Sort>(arg(0), name == "sort_desc");
  return nullptr;
}

}  // namespace promql
