#include <algorithm>

#include "promql/ast.h"

namespace promql {
namespace {

// The times at which an expression is looked at, relative to the evaluation time.
struct Window {
  std::int64_t from = 0;
  std::int64_t to = 0;
  bool absolute = false;

  Window moved(std::int64_t range_ms, std::int64_t offset_ms, const At& at) const {
    return {from - offset_ms - range_ms, to - offset_ms, absolute || at.kind != At::Kind::none};
  }
};

void collect(const Expr& expr, const Window& window, std::int64_t lookback_ms, const QueryTimes& times,
             std::vector<Needs>& out) {
  const auto length = [&](std::int64_t ms, const SharedDurationExpr& formula, Sign sign) {
    return length_of(ms, formula, times, sign).value_or(0);
  };
  const auto add = [&](const SelectorExpr& selector, std::int64_t range_ms) {
    Window seen = window.moved(range_ms, length(selector.offset_ms, selector.offset_formula, Sign::any), selector.at);
    if (selector.edges == Edges::smoothed) seen.to += lookback_ms;
    out.push_back(
        {selector.matchers, std::max<std::int64_t>(0, -seen.from), std::max<std::int64_t>(0, seen.to), seen.absolute});
  };
  const auto visit = [&](const ExprPtr& child) {
    if (child) collect(*child, window, lookback_ms, times, out);
  };
  switch (expr.kind) {
    case Expr::Kind::number:
    case Expr::Kind::string: break;
    case Expr::Kind::selector: add(as<SelectorExpr>(expr), lookback_ms); break;
    case Expr::Kind::matrix: {
      const auto& matrix = as<MatrixExpr>(expr);
      const std::int64_t before = matrix.selector().edges == Edges::plain ? 0 : lookback_ms;
      add(matrix.selector(), length(matrix.range_ms, matrix.range_formula, Sign::positive) + before);
      break;
    }
    case Expr::Kind::subquery: {
      const auto& subquery = as<SubqueryExpr>(expr);
      const std::int64_t range_ms = length(subquery.range_ms, subquery.range_formula, Sign::positive);
      const std::int64_t offset_ms = length(subquery.offset_ms, subquery.offset_formula, Sign::any);
      collect(*subquery.inner, window.moved(range_ms, offset_ms, subquery.at), lookback_ms, times, out);
      break;
    }
    case Expr::Kind::call:
      for (const ExprPtr& arg : as<CallExpr>(expr).args) visit(arg);
      break;
    case Expr::Kind::aggregate:
      visit(as<AggregateExpr>(expr).parameter);
      visit(as<AggregateExpr>(expr).inner);
      break;
    case Expr::Kind::binary:
      visit(as<BinaryExpr>(expr).left);
      visit(as<BinaryExpr>(expr).right);
      break;
    case Expr::Kind::unary: visit(as<UnaryExpr>(expr).inner); break;
    case Expr::Kind::paren: visit(as<ParenExpr>(expr).inner); break;
  }
}

}  // namespace

std::vector<Needs> needs(const Expr& expr, std::int64_t lookback_ms, const QueryTimes& times) {
  std::vector<Needs> out;
  collect(expr, {}, lookback_ms, times, out);
  return out;
}

}  // namespace promql
