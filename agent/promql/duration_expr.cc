#include "promql/duration_expr.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/time.h"
#include "go/format.h"

namespace promql {
namespace {

using Op = DurationExpr::Op;

constexpr double kMostSeconds = 9'223'372'036.0;  // Go counts nanoseconds

base::Error at(const DurationExpr& expr, std::string_view what) {
  return {base::Kind::invalid, fmt::format("{}:{}: {}", expr.begin, expr.end, what)};
}

base::Result<double> seconds_of(const DurationExpr& expr, const QueryTimes& times) {
  double left = 0, right = 0;
  if (expr.left) {
    TRY(left, seconds_of(*expr.left, times));
  }
  if (expr.right) {
    TRY(right, seconds_of(*expr.right, times));
  }
  switch (expr.op) {
    case Op::literal: return expr.seconds;
    case Op::negate: return -right;
    case Op::add: return left + right;
    case Op::sub: return left - right;
    case Op::mul: return left * right;
    case Op::div:
      if (right == 0) return tl::unexpected<base::Error>(at(expr, "division by zero"));
      return left / right;
    case Op::mod:
      if (right == 0) return tl::unexpected<base::Error>(at(expr, "modulo by zero"));
      return std::fmod(left, right);
    case Op::pow: return std::pow(left, right);
    case Op::step: return static_cast<double>(times.step_ms) / 1e3;
    case Op::range: return static_cast<double>(times.range_ms) / 1e3;
    case Op::min_of: return std::min(left, right);
    case Op::max_of: return std::max(left, right);
  }
  return 0.0;
}

std::string_view symbol(Op op) {
  switch (op) {
    case Op::add: return "+";
    case Op::sub: return "-";
    case Op::mul: return "*";
    case Op::div: return "/";
    case Op::mod: return "%";
    case Op::pow: return "^";
    default: return "";
  }
}

std::string bare(const DurationExpr& expr) {
  switch (expr.op) {
    case Op::literal:
      return expr.duration ? base::format_duration(base::Millis{std::llround(expr.seconds * 1e3)})
                           : go::format_float(expr.seconds, 'f', -1);
    case Op::negate: return "-" + print(*expr.right);
    case Op::step: return "step()";
    case Op::range: return "range()";
    case Op::min_of: return fmt::format("min_of({}, {})", print(*expr.left), print(*expr.right));
    case Op::max_of: return fmt::format("max_of({}, {})", print(*expr.left), print(*expr.right));
    default: return fmt::format("{} {} {}", print(*expr.left), symbol(expr.op), print(*expr.right));
  }
}

}  // namespace

base::Result<std::int64_t> evaluate(const DurationExpr& expr, const QueryTimes& times, Sign sign) {
  TRY(const double seconds, seconds_of(expr, times));
  if (sign == Sign::positive && !(seconds > 0))
    return tl::unexpected<base::Error>(at(expr, "duration must be greater than 0"));
  if (!(std::abs(seconds) < kMostSeconds)) return tl::unexpected<base::Error>(at(expr, "duration is out of range"));
  const auto ms = static_cast<std::int64_t>(seconds * 1e3);
  if (sign == Sign::positive && ms == 0) return tl::unexpected<base::Error>(at(expr, "duration must be at least 1ms"));
  return ms;
}

base::Result<std::int64_t> length_of(std::int64_t ms, const SharedDurationExpr& formula, const QueryTimes& times,
                                     Sign sign) {
  if (!formula) return ms;
  return evaluate(*formula, times, sign);
}

std::string print(const DurationExpr& expr) { return expr.wrapped ? '(' + bare(expr) + ')' : bare(expr); }

}  // namespace promql
