#include "promql/compile.h"

#include <algorithm>

#include "base/text.h"
#include "go/format.h"
#include "promql/functions/range_function.h"
#include "promql/selector.h"

namespace promql {
namespace {

class NumberNode final : public Node {
 public:
  explicit NumberNode(double value) : value_(value) {}
  bool scalar(Evaluation&, std::int64_t, double& out) override {
    out = value_;
    return true;
  }

 private:
  double value_;
};

// The argument of a function of ranges and the scalars beside it. Annotations about a subquery point at the start of
// the text: so it is in Prometheus.
NodePtr range_call(const CallExpr& expr, const RangeFunction& function) {
  RangeSourcePtr source;
  RangeCallPlaces places;
  std::vector<NodePtr> scalars;
  Around around = function.name == "predict_linear" ? Around::varying : Around::constant;
  for (const ExprPtr& arg : expr.args)
    if (arg->type == ValueType::scalar && unwrapped(*arg).kind != Expr::Kind::number) around = Around::varying;
  for (const ExprPtr& arg : expr.args) {
    if (arg->type != ValueType::matrix) {
      if (scalars.empty()) places.first = remark_position(*arg);
      scalars.push_back(compile(*arg));
      continue;
    }
    source = compile_range(*arg, around);
    if (unwrapped(*arg).kind == Expr::Kind::matrix) places.range = remark_position(*arg);
  }
  scalars.resize(2);
  return make_range_call(function, std::move(source), std::move(scalars[0]), std::move(scalars[1]), places);
}

NodePtr compile_call(const CallExpr& expr) {
  const std::string_view name = expr.function->name;
  if (const RangeFunction* function = find_range_function(name)) return range_call(expr, *function);
  if (name == "absent_over_time")
    return make_absent_over_time(compile_range(*expr.args[0]), absent_labels(*expr.args[0]));
  if (NodePtr node = make_math_call(expr)) return node;
  if (NodePtr node = make_time_call(expr)) return node;
  if (NodePtr node = make_label_call(expr)) return node;
  return make_histogram_call(expr);
}

}  // namespace

NodePtr compile(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::number: return std::make_unique<NumberNode>(as<NumberExpr>(expr).value);
    case Expr::Kind::string:
    case Expr::Kind::matrix:
    case Expr::Kind::subquery: return nullptr;
    case Expr::Kind::selector:
      return std::make_unique<SelectorNode>(as<SelectorExpr>(expr), SelectorNode::Yields::value);
    case Expr::Kind::paren: return compile(unwrapped(expr));
    case Expr::Kind::unary: {
      const auto& unary = as<UnaryExpr>(expr);
      NodePtr inner = compile(*unary.inner);
      return unary.minus ? make_unary_minus(std::move(inner)) : std::move(inner);
    }
    case Expr::Kind::binary: {
      const auto& binary = as<BinaryExpr>(expr);
      NodePtr left = compile(*binary.left);
      return make_binary(binary, std::move(left), compile(*binary.right));
    }
    case Expr::Kind::aggregate: {
      const auto& aggregate = as<AggregateExpr>(expr);
      NodePtr parameter = aggregate.parameter ? compile(*aggregate.parameter) : nullptr;
      return make_aggregate(aggregate, std::move(parameter), compile(*aggregate.inner));
    }
    case Expr::Kind::call: return compile_call(as<CallExpr>(expr));
  }
  return nullptr;
}

RangeSourcePtr compile_range(const Expr& expr, Around around) {
  const Expr& inner = unwrapped(expr);
  if (inner.kind == Expr::Kind::matrix) return make_range_selector(as<MatrixExpr>(inner), around);
  const auto& subquery = as<SubqueryExpr>(inner);
  return make_subquery(subquery, compile(*subquery.inner), around);
}

model::Labels absent_labels(const Expr& arg) {
  const Expr& inner = unwrapped(arg);
  const SelectorExpr* selector = nullptr;
  if (inner.kind == Expr::Kind::selector) selector = &as<SelectorExpr>(inner);
  if (inner.kind == Expr::Kind::matrix) selector = &as<MatrixExpr>(inner).selector();
  if (!selector) return {};
  std::vector<model::Label> labels;
  std::vector<std::string_view> given;
  for (const model::Matcher& matcher : selector->matchers) {
    if (matcher.name() == model::kMetricName) continue;
    // A condition after the value takes it away, one in front of it does not: so it is in Prometheus.
    const bool again = std::find(given.begin(), given.end(), matcher.name()) != given.end();
    if (matcher.op() == model::MatchOp::equal && !again) {
      labels.push_back({matcher.name(), matcher.value()});
      given.push_back(matcher.name());
    } else {
      std::erase_if(labels, [&](const model::Label& label) { return label.name == matcher.name(); });
    }
  }
  return model::Labels(std::move(labels));
}

std::string go_labels(const model::Labels& labels) {
  std::string out;
  for (const model::Label label : labels) {
    if (!out.empty()) out += ", ";
    out.append(label.name).append("=").append(go::quote(label.value));
  }
  return '{' + out + '}';
}

model::Labels labels_on(const model::Labels& labels, const std::vector<std::string>& names) {
  std::vector<model::Label> kept;
  for (const model::Label label : labels)
    if (std::find(names.begin(), names.end(), label.name) != names.end()) kept.push_back(label);
  return model::Labels(std::move(kept));
}

model::Labels labels_ignoring(const model::Labels& labels, const std::vector<std::string>& names) {
  std::vector<model::Label> kept;
  for (const model::Label label : labels)
    if (label.name != model::kMetricName && std::find(names.begin(), names.end(), label.name) == names.end())
      kept.push_back(label);
  return model::Labels(std::move(kept));
}

bool valid_label_name(std::string_view name, Compat compat) {
  if (name.empty()) return false;
  if (compat == Compat::v3) return base::valid_utf8_prefix(name) == name.size();
  if (name[0] >= '0' && name[0] <= '9') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

}  // namespace promql
