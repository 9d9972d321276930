// What an expression costs by its text alone: the steps of its subqueries, one inside the other.
#include <algorithm>

#include "promql/ast.h"
#include "promql/engine.h"

namespace promql {
namespace {

// The evaluations of a part of the expression: so many, over so much time from the first to the last. Floating point,
// because texts of twenty bytes ask for more than 64 bits hold.
struct Evaluations {
  double count = 1;
  double width_ms = 0;
};

class Pricing {
 public:
  Pricing(std::int64_t default_step_ms, QueryTimes times)
      : default_step_ms_(std::max<std::int64_t>(1, default_step_ms)), times_(times) {}

  void visit(const Expr& expr, Evaluations at) {
    switch (expr.kind) {
      case Expr::Kind::number:
      case Expr::Kind::string:
      case Expr::Kind::selector:
      case Expr::Kind::matrix: break;
      case Expr::Kind::subquery: subquery(as<SubqueryExpr>(expr), at); break;
      case Expr::Kind::call:
        for (const ExprPtr& arg : as<CallExpr>(expr).args) visit(*arg, at);
        break;
      case Expr::Kind::aggregate:
        if (as<AggregateExpr>(expr).parameter) visit(*as<AggregateExpr>(expr).parameter, at);
        visit(*as<AggregateExpr>(expr).inner, at);
        break;
      case Expr::Kind::binary:
        visit(*as<BinaryExpr>(expr).left, at);
        visit(*as<BinaryExpr>(expr).right, at);
        break;
      case Expr::Kind::unary: visit(*as<UnaryExpr>(expr).inner, at); break;
      case Expr::Kind::paren: visit(*as<ParenExpr>(expr).inner, at); break;
    }
  }

  Price price;

 private:
  // The inner expression is evaluated once at each step of all windows together; each window is then looked at whole.
  void subquery(const SubqueryExpr& expr, Evaluations at) {
    // A length that cannot be computed ends the evaluation before its first step.
    const std::int64_t own_step = length_of(expr.step_ms, expr.step_formula, times_, Sign::positive).value_or(0);
    const auto step = static_cast<double>(own_step > 0 ? own_step : default_step_ms_);
    const auto range =
        static_cast<double>(length_of(expr.range_ms, expr.range_formula, times_, Sign::positive).value_or(0));
    const bool fixed = expr.at.kind != At::Kind::none;
    Evaluations inner;
    inner.width_ms = range + (fixed ? 0 : at.width_ms);
    inner.count = inner.width_ms / step + 1;
    price.steps += inner.count;
    price.windows += at.count * (range / step + 1);
    visit(*expr.inner, inner);
  }

  std::int64_t default_step_ms_;
  QueryTimes times_;
};

}  // namespace

Price price_of(const Expr& expr, std::int64_t start, std::int64_t end, std::int64_t step,
               const EngineOptions& options) {
  Pricing pricing(options.default_step_ms, {step, end - start});
  const double width = static_cast<double>(end) - static_cast<double>(start);
  const Evaluations whole{width / static_cast<double>(std::max<std::int64_t>(step, 1)) + 1, width};
  pricing.price.steps = whole.count;
  pricing.visit(expr, whole);
  return pricing.price;
}

base::Result<> check_price(const Price& price, const EngineOptions& options) {
  const auto most = static_cast<double>(options.max_steps);
  if (price.steps <= most && price.windows <= most * kWindowsPerStep) return {};
  return base::fail(base::Kind::limit, kTooManySamples);
}

}  // namespace promql
