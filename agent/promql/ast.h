// The syntax tree. The parser builds and checks it; afterwards it never changes, so that threads may share it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/matcher.h"
#include "promql/duration_expr.h"
#include "promql/edges.h"
#include "promql/function_table.h"
#include "promql/parser.h"
#include "promql/value.h"

namespace promql {

enum class BinaryOp : std::uint8_t {
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  atan2,
  equal,
  not_equal,
  less,
  greater,
  less_equal,
  greater_equal,
  and_,
  or_,
  unless
};
std::string_view to_string(BinaryOp op);
constexpr bool is_comparison(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::greater_equal; }
constexpr bool is_set_operator(BinaryOp op) { return op >= BinaryOp::and_; }

enum class AggregateOp : std::uint8_t {
  sum,
  avg,
  count,
  min,
  max,
  group,
  stddev,
  stdvar,
  topk,
  bottomk,
  count_values,
  quantile
};
std::string_view to_string(AggregateOp op);
constexpr bool has_parameter(AggregateOp op) { return op >= AggregateOp::topk; }

// Deeper trees are refused, so that walking one never runs out of stack, not even a worker's small one.
inline constexpr std::uint32_t kMaxDepth = 400;

struct Expr {
  enum class Kind : std::uint8_t { number, string, selector, matrix, subquery, call, aggregate, binary, unary, paren };

  explicit Expr(Kind k) : kind(k) {}
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;
  virtual ~Expr() = default;

  Kind kind;
  ValueType type = ValueType::vector;
  std::uint32_t depth = 1;
  std::size_t begin = 0;  // bytes of the text
  std::size_t end = 0;
  std::uint64_t id = 0;        // of a whole expression: no other one of this process has it
  Compat compat = Compat::v3;  // of a whole expression, a number and an operator: the grammar it was read with
};

// The @ modifier.
struct At {
  enum class Kind : std::uint8_t { none, instant, start, end };
  Kind kind = Kind::none;
  std::int64_t t = 0;
};

struct NumberExpr final : Expr {
  NumberExpr() : Expr(Kind::number) { type = ValueType::scalar; }
  double value = 0;
  bool duration = false;  // written as 5m: prints so again
};

struct StringExpr final : Expr {
  StringExpr() : Expr(Kind::string) { type = ValueType::string; }
  std::string value;
};

struct SelectorExpr final : Expr {
  SelectorExpr() : Expr(Kind::selector) {}
  std::string name;                      // if it stands outside the braces; it is also among the matchers, last
  std::vector<model::Matcher> matchers;  // in the order of the text
  std::int64_t offset_ms = 0;
  SharedDurationExpr offset_formula{};  // it counts where there is one; offset_ms is then what an instant query has
  At at;
  Edges edges = Edges::plain;
};

struct MatrixExpr final : Expr {
  MatrixExpr() : Expr(Kind::matrix) { type = ValueType::matrix; }
  const SelectorExpr& selector() const { return static_cast<const SelectorExpr&>(*inner); }
  ExprPtr inner;  // a SelectorExpr, which has the offset and @ of the whole
  std::int64_t range_ms = 0;
  SharedDurationExpr range_formula{};
};

struct SubqueryExpr final : Expr {
  SubqueryExpr() : Expr(Kind::subquery) { type = ValueType::matrix; }
  ExprPtr inner;
  std::int64_t range_ms = 0;
  std::int64_t step_ms = 0;  // 0: the engine's default
  std::int64_t offset_ms = 0;
  SharedDurationExpr range_formula{}, step_formula{}, offset_formula{};
  At at;
};

struct CallExpr final : Expr {
  CallExpr() : Expr(Kind::call) {}
  const Function* function = nullptr;
  std::vector<ExprPtr> args;
};

struct AggregateExpr final : Expr {
  AggregateExpr() : Expr(Kind::aggregate) {}
  AggregateOp op = AggregateOp::sum;
  ExprPtr parameter;  // topk, bottomk, quantile, count_values
  ExprPtr inner;
  std::vector<std::string> grouping;
  bool without = false;
};

enum class Cardinality : std::uint8_t { one_to_one, many_to_one, one_to_many, many_to_many };

struct VectorMatching {
  Cardinality cardinality = Cardinality::one_to_one;
  bool on = false;
  std::vector<std::string> labels;
  std::vector<std::string> include;  // of group_left or group_right
};

struct BinaryExpr final : Expr {
  BinaryExpr() : Expr(Kind::binary) {}
  BinaryOp op = BinaryOp::add;
  std::size_t op_begin = 0;  // byte of the operator
  bool returns_bool = false;
  VectorMatching matching;  // means something between two vectors only
  ExprPtr left;
  ExprPtr right;
};

struct UnaryExpr final : Expr {
  UnaryExpr() : Expr(Kind::unary) {}
  bool minus = false;
  ExprPtr inner;
};

struct ParenExpr final : Expr {
  ParenExpr() : Expr(Kind::paren) {}
  ExprPtr inner;
};

template <typename T>
const T& as(const Expr& expr) {
  return static_cast<const T&>(expr);
}

// Without the parentheses around it.
const Expr& unwrapped(const Expr& expr);
// Where a annotation about this argument points.
inline std::size_t remark_position(const Expr& arg) { return unwrapped(arg).begin; }

}  // namespace promql
