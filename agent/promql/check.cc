// The type check: what fits together after the grammar is satisfied. The wording and the order are Prometheus'.
#include <fmt/format.h>

#include "go/format.h"
#include "promql/syntax.h"

namespace promql {
namespace {

std::string_view documented(ValueType type) {
  if (type == ValueType::vector) return "instant vector";
  if (type == ValueType::matrix) return "range vector";
  return to_string(type);
}

class Check {
 public:
  explicit Check(Parser& parser) : parser_(parser) {}

  void visit(const Expr& expr) {
    switch (expr.kind) {
      case Expr::Kind::number:
      case Expr::Kind::string: break;
      case Expr::Kind::selector: selector(as<SelectorExpr>(expr)); break;
      case Expr::Kind::matrix: visit(*as<MatrixExpr>(expr).inner); break;
      case Expr::Kind::paren: visit(*as<ParenExpr>(expr).inner); break;
      case Expr::Kind::subquery: {
        const Expr& inner = *as<SubqueryExpr>(expr).inner;
        visit(inner);
        if (inner.type != ValueType::vector)
          parser_.report(expr.begin, fmt::format("subquery is only allowed on instant vector, got {} instead",
                                                 to_string(inner.type)));
        break;
      }
      case Expr::Kind::unary: {
        const Expr& inner = *as<UnaryExpr>(expr).inner;
        visit(inner);
        if (inner.type != ValueType::vector && inner.type != ValueType::scalar)
          parser_.report(expr.begin, fmt::format("unary expression only allowed on expressions of type scalar or "
                                                 "instant vector, got \"{}\"",
                                                 documented(inner.type)));
        break;
      }
      case Expr::Kind::aggregate: aggregate(as<AggregateExpr>(expr)); break;
      case Expr::Kind::call: call(as<CallExpr>(expr)); break;
      case Expr::Kind::binary: binary(as<BinaryExpr>(expr)); break;
    }
  }

 private:
  void expect(const Expr& expr, ValueType want, std::string_view context) {
    visit(expr);
    if (expr.type != want)
      parser_.report(expr.begin,
                     fmt::format("expected type {} in {}, got {}", documented(want), context, documented(expr.type)));
  }

  void selector(const SelectorExpr& expr) {
    const std::size_t inside = expr.matchers.size() - (expr.name.empty() ? 0 : 1);
    bool not_empty = false;
    const model::Matcher* named = expr.name.empty() ? nullptr : &expr.matchers.back();
    for (std::size_t i = 0; i < inside; ++i) {
      const model::Matcher& matcher = expr.matchers[i];
      not_empty |= !matcher.matches_empty();
      if (named && matcher.name() == model::kMetricName)
        parser_.report(expr.begin, fmt::format("metric name must not be set twice: {} or {}", go::quote(expr.name),
                                               go::quote(matcher.value())));
    }
    if (!named && !not_empty) parser_.report(expr.begin, "vector selector must contain at least one non-empty matcher");
  }

  void aggregate(const AggregateExpr& expr) {
    expect(*expr.inner, ValueType::vector, "aggregation expression");
    if (expr.parameter)
      expect(*expr.parameter, expr.op == AggregateOp::count_values ? ValueType::string : ValueType::scalar,
             "aggregation parameter");
  }

  void call(const CallExpr& expr) {
    const Function& f = *expr.function;
    const int declared = f.arg_count;
    const int given = static_cast<int>(expr.args.size());
    const auto wrong = [&](std::string_view how, int count) {
      parser_.report(expr.begin,
                     fmt::format("expected {}{} argument(s) in call to \"{}\", got {}", how, count, f.name, given));
    };
    if (f.variadic == 0) {
      if (declared != given) wrong("", declared);
    } else if (declared - 1 > given) {
      wrong("at least ", declared - 1);
    } else if (f.variadic > 0 && declared - 1 + f.variadic < given) {
      wrong("at most ", declared - 1 + f.variadic);
    }
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
      if (i >= f.arg_count && f.variadic == 0) break;
      const std::size_t at = std::min(i, static_cast<std::size_t>(f.arg_count) - 1);
      expect(*expr.args[i], f.args[at], fmt::format("call to function \"{}\"", f.name));
    }
  }

  void binary(const BinaryExpr& expr) {
    const VectorMatching& matching = expr.matching;
    visit(*expr.left);
    visit(*expr.right);
    const ValueType left = expr.left->type;
    const ValueType right = expr.right->type;
    if (expr.returns_bool && !is_comparison(expr.op))
      parser_.report(expr.op_begin, "bool modifier can only be used on comparison operators");
    if (is_comparison(expr.op) && !expr.returns_bool && left == ValueType::scalar && right == ValueType::scalar)
      parser_.report(expr.op_begin, "comparisons between scalars must use BOOL modifier");
    if (matching.on)
      for (const std::string& label : matching.labels)
        for (const std::string& included : matching.include)
          if (label == included)
            parser_.report(expr.op_begin,
                           fmt::format("label {} must not occur in ON and GROUP clause at once", go::quote(label)));
    for (const Expr* side : {expr.left.get(), expr.right.get()})
      if (side->type != ValueType::scalar && side->type != ValueType::vector)
        parser_.report(side->begin, "binary expression must contain only scalar and instant vector types");
    if (left != ValueType::vector || right != ValueType::vector) {
      if (!matching.labels.empty()) parser_.report(expr.begin, "vector matching only allowed between instant vectors");
    } else if (is_set_operator(expr.op) && matching.cardinality != Cardinality::many_to_many) {
      parser_.report(expr.begin, fmt::format("no grouping allowed for \"{}\" operation", to_string(expr.op)));
    }
    if ((left == ValueType::scalar || right == ValueType::scalar) && is_set_operator(expr.op))
      parser_.report(expr.begin,
                     fmt::format("set operator \"{}\" not allowed in binary scalar expression", to_string(expr.op)));
  }

  Parser& parser_;
};

}  // namespace

void check_types(const Expr& expr, Parser& parser) { Check(parser).visit(expr); }

}  // namespace promql
