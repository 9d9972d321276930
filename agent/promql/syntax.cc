#include "promql/syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "go/format.h"
#include "promql/compile.h"

namespace promql {
namespace {

constexpr int kUnaryPrecedence = 6;

struct Operator {
  BinaryOp op;
  int precedence;
};

bool binary_operator(TokenType type, Operator& out) {
  switch (type) {
    case TokenType::or_: out = {BinaryOp::or_, 1}; return true;
    case TokenType::and_: out = {BinaryOp::and_, 2}; return true;
    case TokenType::unless: out = {BinaryOp::unless, 2}; return true;
    case TokenType::equal: out = {BinaryOp::equal, 3}; return true;
    case TokenType::not_equal: out = {BinaryOp::not_equal, 3}; return true;
    case TokenType::less: out = {BinaryOp::less, 3}; return true;
    case TokenType::greater: out = {BinaryOp::greater, 3}; return true;
    case TokenType::less_equal: out = {BinaryOp::less_equal, 3}; return true;
    case TokenType::greater_equal: out = {BinaryOp::greater_equal, 3}; return true;
    case TokenType::add: out = {BinaryOp::add, 4}; return true;
    case TokenType::sub: out = {BinaryOp::sub, 4}; return true;
    case TokenType::mul: out = {BinaryOp::mul, 5}; return true;
    case TokenType::div: out = {BinaryOp::div, 5}; return true;
    case TokenType::mod: out = {BinaryOp::mod, 5}; return true;
    case TokenType::atan2: out = {BinaryOp::atan2, 5}; return true;
    case TokenType::pow: out = {BinaryOp::pow, 6}; return true;
    default: return false;
  }
}

AggregateOp aggregate_op(TokenType type) {
  return static_cast<AggregateOp>(static_cast<int>(type) - static_cast<int>(TokenType::sum));
}

// Words that may be a metric's name although they mean something elsewhere.
bool names_metric(TokenType type) {
  switch (type) {
    case TokenType::identifier:
    case TokenType::metric_identifier:
    case TokenType::and_:
    case TokenType::or_:
    case TokenType::unless:
    case TokenType::by:
    case TokenType::without:
    case TokenType::offset:
    case TokenType::start_word:
    case TokenType::end_word: return true;
    default: return is_aggregator(type);
  }
}

bool names_label(const Token& token, Compat compat) {
  if (token.type == TokenType::string || token.type == TokenType::metric_identifier) return compat == Compat::v3;
  if (token.type == TokenType::without) return false;
  return names_metric(token.type) || token.type == TokenType::atan2 || token.type == TokenType::bool_ ||
         token.type == TokenType::on || token.type == TokenType::ignoring || token.type == TokenType::group_left ||
         token.type == TokenType::group_right;
}

std::string unknown_function(std::string_view name, Compat compat) {
  const std::string_view flag = compat == Compat::v3 ? feature_flag(name) : std::string_view{};
  if (flag.empty()) return "unknown function with name " + go::quote(name);
  return fmt::format(
      "function {} is not enabled: Prometheus 3 has it behind the feature flag {}, fettle does not have it",
      go::quote(name), flag);
}

bool starts_expression(TokenType type, Compat compat) {
  return names_metric(type) || type == TokenType::left_brace || type == TokenType::number ||
         type == TokenType::string || type == TokenType::left_paren || type == TokenType::add ||
         type == TokenType::sub || (type == TokenType::duration && compat == Compat::v3);
}

}  // namespace

const Token& Parser::peek() {
  if (!has_token_) {
    token_ = lexer_.next();
    has_token_ = true;
    if (token_.type == TokenType::error) report(token_.begin, std::string(token_.text));
  }
  return token_;
}

Token Parser::take() {
  const Token token = peek();
  has_token_ = false;
  last_end_ = token.end;
  return token;
}

bool Parser::accept(TokenType type) {
  if (!next_is(type)) return false;
  take();
  return true;
}

void Parser::report(std::size_t at, std::string message) {
  ParseError error;
  at = std::min(at, text_.size());
  for (std::size_t i = 0; i < at; ++i) {
    ++error.column;
    if (text_[i] != '\n') continue;
    ++error.line;
    error.column = 1;
  }
  error.message = "parse error: " + std::move(message);
  errors_.push_back(std::move(error));
}

MutableExpr Parser::unexpected(std::string_view context, std::string_view expected) {
  const Token& token = peek();
  if (token.type == TokenType::error) return nullptr;
  if (context.empty() && inside_aggregate_ > 0) context = "aggregation";
  std::string message = "unexpected " + describe(token, compat_);
  if (!context.empty()) message += fmt::format(" in {}", context);
  if (!expected.empty()) message += fmt::format(", expected {}", expected);
  report(token.begin, std::move(message));
  return nullptr;
}

void Parser::finish(Expr& expr, std::size_t begin) {
  expr.begin = begin;
  expr.end = last_end_;
}

bool Parser::deeper(Expr& expr, std::initializer_list<const Expr*> children) {
  for (const Expr* child : children)
    if (child) expr.depth = std::max(expr.depth, child->depth + 1);
  if (expr.depth <= kMaxDepth) return true;
  report(expr.begin, fmt::format("expression is more than {} levels deep; split it into recording rules", kMaxDepth));
  return false;
}

MutableExpr Parser::expression() {
  if (next_is(TokenType::end)) {
    report(0, "no expression found in input");
    return nullptr;
  }
  MutableExpr expr = binary(1);
  if (!expr) return nullptr;
  if (!next_is(TokenType::end)) return unexpected();
  if (errors_.empty()) check_types(*expr, *this);
  return errors_.empty() ? std::move(expr) : nullptr;
}

MutableExpr Parser::binary(int least_precedence) {
  if (++nesting_ > kMaxNesting) {
    report(peek().begin,
           fmt::format("expression is nested more than {} levels deep; split it into recording rules", kMaxNesting));
    return nullptr;
  }
  MutableExpr left = unary();
  Operator found{};
  while (left && binary_operator(peek().type, found) && found.precedence >= least_precedence) {
    auto* node = new BinaryExpr;
    MutableExpr owner(node);
    node->op = found.op;
    node->compat = compat_;
    node->op_begin = take().begin;
    if (!matching(*node)) return nullptr;
    MutableExpr right = binary(found.op == BinaryOp::pow ? found.precedence : found.precedence + 1);
    if (!right) return nullptr;
    node->type =
        left->type == ValueType::scalar && right->type == ValueType::scalar ? ValueType::scalar : ValueType::vector;
    finish(*node, left->begin);
    if (!deeper(*node, {left.get(), right.get()})) return nullptr;
    node->left = std::move(left);
    node->right = std::move(right);
    left = std::move(owner);
  }
  --nesting_;
  return left;
}

// bool, on or ignoring, group_left or group_right: what may stand behind an operator.
bool Parser::matching(BinaryExpr& expr) {
  expr.returns_bool = accept(TokenType::bool_);
  VectorMatching& matching = expr.matching;
  if (is_set_operator(expr.op)) matching.cardinality = Cardinality::many_to_many;
  if (!next_is(TokenType::on) && !next_is(TokenType::ignoring)) return true;
  matching.on = take().type == TokenType::on;
  if (!grouping(matching.labels)) return false;
  if (!next_is(TokenType::group_left) && !next_is(TokenType::group_right)) return true;
  matching.cardinality = take().type == TokenType::group_left ? Cardinality::many_to_one : Cardinality::one_to_many;
  return !next_is(TokenType::left_paren) || grouping(matching.include);
}

bool Parser::grouping(std::vector<std::string>& out) {
  constexpr std::string_view kContext = "grouping opts";
  if (!accept(TokenType::left_paren)) return unexpected(kContext, "\"(\"") != nullptr;
  while (!next_is(TokenType::right_paren)) {
    if (!names_label(peek(), compat_)) return unexpected(kContext, "label") != nullptr;
    const Token label = take();
    out.push_back(label.type == TokenType::string ? unquote(label.text) : std::string(label.text));
    if (!valid_label_name(out.back(), compat_))
      report(label.begin, "invalid label name for grouping: " + go::quote(out.back()));
    if (next_is(TokenType::right_paren)) break;
    if (!accept(TokenType::comma)) return unexpected(kContext, "\",\" or \")\"") != nullptr;
  }
  take();
  return true;
}

MutableExpr Parser::unary() {
  if (!next_is(TokenType::add) && !next_is(TokenType::sub)) {
    MutableExpr expr = primary();
    return expr ? postfix(std::move(expr)) : nullptr;
  }
  const Token sign = take();
  MutableExpr inner = binary(kUnaryPrecedence);
  if (!inner) return nullptr;
  const bool minus = sign.type == TokenType::sub;
  if (inner->kind == Expr::Kind::number) {
    if (minus) static_cast<NumberExpr&>(*inner).value *= -1;
    inner->begin = sign.begin;
    return inner;
  }
  auto* node = new UnaryExpr;
  MutableExpr owner(node);
  node->minus = minus;
  node->type = inner->type;
  finish(*node, sign.begin);
  if (!deeper(*node, {inner.get()})) return nullptr;
  node->inner = std::move(inner);
  return owner;
}

MutableExpr Parser::postfix(MutableExpr expr) {
  while (expr) {
    if (next_is(TokenType::left_bracket)) expr = range(std::move(expr));
    else if (next_is(TokenType::offset)) expr = offset(std::move(expr));
    else if (next_is(TokenType::at)) expr = at_modifier(std::move(expr));
    else if (const Edges edges = edges_word(); edges != Edges::plain) expr = edges_modifier(std::move(expr), edges);
    else break;
  }
  return expr;
}

MutableExpr Parser::primary() {
  const TokenType type = peek().type;
  if (type == TokenType::number || (type == TokenType::duration && compat_ == Compat::v3)) return number(take(), 1);
  if (type == TokenType::string) {
    const Token token = take();
    auto* node = new StringExpr;
    MutableExpr owner(node);
    node->value = unquote(token.text);
    finish(*node, token.begin);
    return owner;
  }
  if (type == TokenType::left_paren) return parenthesised();
  if (type == TokenType::left_brace) return selector();
  if (!names_metric(type)) return unexpected();
  const Token name = take();
  const TokenType next = peek().type;
  if (name.type == TokenType::identifier && next == TokenType::left_paren) return call(name);
  if (is_aggregator(name.type) &&
      (next == TokenType::left_paren || next == TokenType::by || next == TokenType::without))
    return aggregate(name);
  return metric(name);
}

MutableExpr Parser::series_selector() {
  if (next_is(TokenType::left_brace)) return selector();
  if (!names_metric(peek().type)) return unexpected();
  const Token name = take();
  return metric(name);
}

MutableExpr Parser::metric(const Token& name) {
  auto* node = new SelectorExpr;
  MutableExpr owner(node);
  node->name = std::string(name.text);
  if (next_is(TokenType::left_brace) && !label_matchers(*node)) return nullptr;
  node->matchers.push_back(model::Matcher::equal(model::kMetricName, node->name));
  finish(*node, name.begin);
  return owner;
}

MutableExpr Parser::number(const Token& token, double sign) {
  auto* node = new NumberExpr;
  MutableExpr owner(node);
  node->compat = compat_;
  if (token.type == TokenType::duration) {
    std::int64_t ms = 0;
    duration_ms(token, ms);
    node->duration = true;
    node->value = static_cast<double>(ms) / 1e3;
  } else {
    node->value = sign * number_value(token);
  }
  finish(*node, token.begin);
  return owner;
}

MutableExpr Parser::parenthesised() {
  const std::size_t begin = take().begin;
  MutableExpr inner = binary(1);
  if (!inner) return nullptr;
  if (!accept(TokenType::right_paren)) return unexpected();
  auto* node = new ParenExpr;
  MutableExpr owner(node);
  node->type = inner->type;
  finish(*node, begin);
  if (!deeper(*node, {inner.get()})) return nullptr;
  node->inner = std::move(inner);
  return owner;
}

// (a, b): false after a syntax error.
bool Parser::arguments(std::vector<ExprPtr>& out) {
  take();
  if (accept(TokenType::right_paren)) return true;
  for (;;) {
    MutableExpr arg = binary(1);
    if (!arg) return false;
    out.emplace_back(arg.release());
    if (!next_is(TokenType::comma)) break;
    const Token comma = take();
    if (!starts_expression(peek().type, compat_)) {
      report(comma.begin, "trailing commas not allowed in function call args");
      break;
    }
  }
  if (accept(TokenType::right_paren)) return true;
  unexpected();
  return false;
}

MutableExpr Parser::call(const Token& name) {
  auto* node = new CallExpr;
  MutableExpr owner(node);
  if (!arguments(node->args)) return nullptr;
  node->function = find_function(name.text, compat_);
  finish(*node, name.begin);
  if (!node->function) report(name.begin, unknown_function(name.text, compat_));
  else node->type = node->function->returns;
  for (const ExprPtr& arg : node->args)
    if (!deeper(*node, {arg.get()})) return nullptr;
  return owner;
}

MutableExpr Parser::aggregate(const Token& op) {
  auto* node = new AggregateExpr;
  MutableExpr owner(node);
  node->op = aggregate_op(op.type);
  const auto modifier = [&] {
    node->without = take().type == TokenType::without;
    return grouping(node->grouping);
  };
  ++inside_aggregate_;
  const bool modifier_first = !next_is(TokenType::left_paren);
  if (modifier_first && !modifier()) return nullptr;
  if (!next_is(TokenType::left_paren)) return unexpected();
  std::vector<ExprPtr> args;
  if (!arguments(args)) return nullptr;
  --inside_aggregate_;
  if (!modifier_first && (next_is(TokenType::by) || next_is(TokenType::without)) && !modifier()) return nullptr;
  finish(*node, op.begin);

  const std::size_t want = has_parameter(node->op) ? 2 : 1;
  if (args.empty()) {
    report(op.begin, "no arguments for aggregate expression provided");
  } else if (args.size() != want) {
    report(op.begin, fmt::format("wrong number of arguments for aggregate expression provided, expected {}, got {}",
                                 want, args.size()));
  } else {
    if (!deeper(*node, {args.front().get(), args.back().get()})) return nullptr;
    if (want == 2) node->parameter = std::move(args.front());
    node->inner = std::move(args.back());
  }
  return owner;
}

}  // namespace promql
