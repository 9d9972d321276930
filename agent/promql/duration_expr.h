// A length of time that is computed from others, as Prometheus 3.14 takes it in brackets and behind `offset`:
// [5m * 2], offset (1h / 2), [max_of(step(), 5m)]. Made by the parser; never changes afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace promql {

// What step() and range() stand for: 0 for a query at one instant.
struct QueryTimes {
  std::int64_t step_ms = 0;
  std::int64_t range_ms = 0;
};

struct DurationExpr {
  enum class Op : std::uint8_t { literal, negate, add, sub, mul, div, mod, pow, step, range, min_of, max_of };
  Op op = Op::literal;
  double seconds = 0;     // of a literal
  bool duration = false;  // a literal that was written as 5m: prints so again
  bool wrapped = false;   // in parentheses
  std::uint32_t depth = 1;
  std::size_t begin = 0;  // bytes of the text
  std::size_t end = 0;
  std::unique_ptr<const DurationExpr> left{}, right{};  // an operator of one operand has it on the right
};
using DurationExprPtr = std::unique_ptr<DurationExpr>;
// Null: what stands there is a number, which the parser has put beside it.
using SharedDurationExpr = std::shared_ptr<const DurationExpr>;

// Milliseconds, cut off as Prometheus does. The errors are Prometheus': a range or step must be greater than 0, a
// divisor must not be 0, the result must be in range.
enum class Sign { positive, any };
base::Result<std::int64_t> evaluate(const DurationExpr& expr, const QueryTimes& times, Sign sign);
// The same of a part of an expression: its formula if it has one, else the number.
base::Result<std::int64_t> length_of(std::int64_t ms, const SharedDurationExpr& formula, const QueryTimes& times,
                                     Sign sign);

std::string print(const DurationExpr& expr);

}  // namespace promql
