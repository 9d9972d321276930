#include "promql/parser.h"

#include <fmt/format.h>

#include <atomic>

#include "promql/ast.h"
#include "promql/syntax.h"

namespace promql {

std::string_view to_string(BinaryOp op) {
  switch (op) {
    case BinaryOp::add: return "+";
    case BinaryOp::sub: return "-";
    case BinaryOp::mul: return "*";
    case BinaryOp::div: return "/";
    case BinaryOp::mod: return "%";
    case BinaryOp::pow: return "^";
    case BinaryOp::atan2: return "atan2";
    case BinaryOp::equal: return "==";
    case BinaryOp::not_equal: return "!=";
    case BinaryOp::less: return "<";
    case BinaryOp::greater: return ">";
    case BinaryOp::less_equal: return "<=";
    case BinaryOp::greater_equal: return ">=";
    case BinaryOp::and_: return "and";
    case BinaryOp::or_: return "or";
    case BinaryOp::unless: return "unless";
  }
  return "";
}

std::string_view to_string(AggregateOp op) {
  switch (op) {
    case AggregateOp::sum: return "sum";
    case AggregateOp::avg: return "avg";
    case AggregateOp::count: return "count";
    case AggregateOp::min: return "min";
    case AggregateOp::max: return "max";
    case AggregateOp::group: return "group";
    case AggregateOp::stddev: return "stddev";
    case AggregateOp::stdvar: return "stdvar";
    case AggregateOp::topk: return "topk";
    case AggregateOp::bottomk: return "bottomk";
    case AggregateOp::count_values: return "count_values";
    case AggregateOp::quantile: return "quantile";
  }
  return "";
}

void ExprDeleter::operator()(const Expr* expr) const { delete expr; }

const Expr& unwrapped(const Expr& expr) {
  const Expr* at = &expr;
  while (at->kind == Expr::Kind::paren) at = as<ParenExpr>(*at).inner.get();
  return *at;
}

std::string ParseError::to_string() const { return fmt::format("{}:{}: {}", line, column, message); }
std::string Parsed::error_text() const { return errors.empty() ? "" : errors.front().to_string(); }

Parsed parse(std::string_view text, Compat compat) {
  static std::atomic<std::uint64_t> next_id{1};
  Parser parser(text, compat);
  MutableExpr expr = parser.expression();
  if (!expr) return {nullptr, std::move(parser.errors())};
  expr->id = next_id.fetch_add(1, std::memory_order_relaxed);
  expr->compat = compat;
  return {ExprPtr(expr.release()), {}};
}

base::Result<std::vector<model::Matcher>> parse_matchers(std::string_view text, Compat compat) {
  Parser parser(text, compat);
  const MutableExpr expr = parser.lone_selector();
  if (!expr) return base::fail(base::Kind::invalid, parser.errors().front().to_string());
  return static_cast<SelectorExpr&>(*expr).matchers;
}

base::Result<model::Labels> parse_metric(std::string_view text, Compat compat) {
  Parser parser(text, compat);
  const MutableExpr expr = parser.lone_metric();
  if (!expr) return base::fail(base::Kind::invalid, parser.errors().front().to_string());
  std::vector<model::Label> labels;
  for (const model::Matcher& matcher : static_cast<SelectorExpr&>(*expr).matchers)
    labels.push_back({matcher.name(), matcher.value()});
  return model::Labels(std::move(labels));
}

ValueType type_of(const Expr& expr) { return expr.type; }

}  // namespace promql
