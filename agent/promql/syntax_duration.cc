// The lengths of time in the grammar: in brackets, behind `offset`; numbers, durations and, in 3.x, what is computed of
// them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/ascii.h"
#include "base/time.h"
#include "go/format.h"
#include "promql/syntax.h"

namespace promql {
namespace {

using Op = DurationExpr::Op;

constexpr double kMostMs = 9'223'372'036'854.0;  // Go counts nanoseconds
constexpr std::int64_t kMostWholeMs = 9'223'372'036'854;
constexpr int kPowPrecedence = 3;

struct DurationOperator {
  TokenType type;
  Op op;
  int precedence;
};
constexpr std::array kOperators{
    DurationOperator{TokenType::add, Op::add, 1}, DurationOperator{TokenType::sub, Op::sub, 1},
    DurationOperator{TokenType::mul, Op::mul, 2}, DurationOperator{TokenType::div, Op::div, 2},
    DurationOperator{TokenType::mod, Op::mod, 2}, DurationOperator{TokenType::pow, Op::pow, kPowPrecedence}};

const DurationOperator* operator_of(TokenType type) {
  const auto* const found =
      std::find_if(kOperators.begin(), kOperators.end(), [&](const DurationOperator& o) { return o.type == type; });
  return found == kOperators.end() ? nullptr : found;
}

// step, range, min_of and max_of: words only here, and names everywhere else.
bool is_function(const Token& token, Op& op) {
  static constexpr std::array<std::pair<std::string_view, Op>, 4> kFunctions{
      {{"step", Op::step}, {"range", Op::range}, {"min_of", Op::min_of}, {"max_of", Op::max_of}}};
  if (token.type != TokenType::identifier) return false;
  for (const auto& [name, function] : kFunctions)
    if (base::same_word(token.text, name)) {
      op = function;
      return true;
    }
  return false;
}

}  // namespace

Modifiers modifiers_of(Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::selector: {
      auto& selector = static_cast<SelectorExpr&>(expr);
      return {&selector.offset_ms, &selector.offset_formula, &selector.at};
    }
    case Expr::Kind::matrix: {
      // The tree is still the parser's own here, so that it may be changed.
      auto& selector = const_cast<SelectorExpr&>(static_cast<MatrixExpr&>(expr).selector());
      return {&selector.offset_ms, &selector.offset_formula, &selector.at};
    }
    case Expr::Kind::subquery: {
      auto& subquery = static_cast<SubqueryExpr&>(expr);
      return {&subquery.offset_ms, &subquery.offset_formula, &subquery.at};
    }
    default: return {};
  }
}

// The text of a duration token. False, and reported, if its units are wrong; the caller goes on with 0.
bool Parser::duration_ms(const Token& token, std::int64_t& ms) {
  const bool whole = token.text.find_first_of("._") == std::string_view::npos;
  const auto parsed = whole ? base::parse_duration(token.text) : base::fail(base::Kind::invalid, "not whole");
  const bool too_long = parsed && parsed->count() > kMostWholeMs;
  if (!parsed || too_long) {
    const bool out_of_range = too_long || parsed.error().text.ends_with("is out of range");
    report(token.begin,
           out_of_range ? "duration out of range" : "not a valid duration string: " + go::quote(token.text));
    return false;
  }
  ms = parsed->count();
  if (ms > 0 || compat_ == Compat::v3) return true;
  report(token.begin, "duration must be greater than 0");
  return false;
}

// ---- what is computed

DurationExprPtr Parser::duration_pair(Op op, DurationExprPtr left, DurationExprPtr right) {
  auto pair = std::make_unique<DurationExpr>();
  pair->op = op;
  pair->begin = left ? left->begin : right->begin;
  pair->end = last_end_;
  pair->depth = std::max(left ? left->depth : 0, right ? right->depth : 0) + 1;
  if (pair->depth > kMaxDepth) {
    report(pair->begin, fmt::format("duration is more than {} levels deep", kMaxDepth));
    return nullptr;
  }
  pair->left = std::move(left);
  pair->right = std::move(right);
  return pair;
}

DurationExprPtr Parser::duration_expr(int least_precedence) {
  if (++nesting_ > kMaxNesting) {
    report(peek().begin, fmt::format("duration is nested more than {} levels deep", kMaxNesting));
    return nullptr;
  }
  DurationExprPtr all = duration_rest(duration_unary(), least_precedence);
  if (all) --nesting_;
  return all;
}

// The operators behind what was read, and what they join to it.
DurationExprPtr Parser::duration_rest(DurationExprPtr left, int least_precedence) {
  while (left) {
    const DurationOperator* found = operator_of(peek().type);
    if (found == nullptr || found->precedence < least_precedence) break;
    take();
    DurationExprPtr right = duration_expr(found->op == Op::pow ? kPowPrecedence : found->precedence + 1);
    if (!right) return nullptr;
    left = duration_pair(found->op, std::move(left), std::move(right));
  }
  return left;
}

// As in other expressions -2 ^ 2 is -(2 ^ 2), and -2 * 3 is (-2) * 3.
DurationExprPtr Parser::duration_unary() {
  if (!next_is(TokenType::add) && !next_is(TokenType::sub)) return duration_primary();
  return duration_signed(take());
}

DurationExprPtr Parser::duration_signed(const Token& sign) {
  DurationExprPtr inner = duration_expr(kPowPrecedence);
  if (!inner || sign.type == TokenType::add) return inner;
  if (inner->op == Op::literal && !inner->wrapped) {
    inner->seconds = -inner->seconds;
    inner->begin = sign.begin;
    return inner;
  }
  inner = duration_pair(Op::negate, nullptr, std::move(inner));
  if (inner) inner->begin = sign.begin;
  return inner;
}

DurationExprPtr Parser::duration_primary() {
  if (next_is(TokenType::number) || next_is(TokenType::duration)) return duration_literal();
  if (Op op{}; is_function(peek(), op)) return duration_call(op);
  if (!accept(TokenType::left_paren)) return nullptr;
  DurationExprPtr inner = duration_expr(1);
  if (!inner || !accept(TokenType::right_paren)) return nullptr;
  inner->wrapped = true;
  return inner;
}

DurationExprPtr Parser::duration_literal() {
  const Token token = take();
  auto literal = std::make_unique<DurationExpr>();
  literal->begin = token.begin;
  literal->end = token.end;
  literal->duration = token.type == TokenType::duration;
  if (std::int64_t ms = 0; !literal->duration) literal->seconds = number_value(token);
  else if (duration_ms(token, ms)) literal->seconds = static_cast<double>(ms) / 1e3;
  return literal;
}

DurationExprPtr Parser::duration_call(Op op) {
  const Token name = take();
  if (!accept(TokenType::left_paren)) return nullptr;
  DurationExprPtr call = std::make_unique<DurationExpr>();
  call->op = op;
  if (op == Op::min_of || op == Op::max_of) {
    DurationExprPtr left = duration_expr(1);
    if (!left || !accept(TokenType::comma)) return nullptr;
    DurationExprPtr right = duration_expr(1);
    if (!right) return nullptr;
    call = duration_pair(op, std::move(left), std::move(right));
  }
  if (!call || !accept(TokenType::right_paren)) return nullptr;
  call->begin = name.begin;
  call->end = last_end_;
  return call;
}

// ---- where it stands

bool Parser::starts_length() {
  if (next_is(TokenType::duration)) return true;
  if (compat_ == Compat::v2) return false;
  Op op{};
  return next_is(TokenType::number) || next_is(TokenType::left_paren) || next_is(TokenType::add) ||
         next_is(TokenType::sub) || is_function(peek(), op);
}

// False: what stands there is none. A wrong one is reported.
bool Parser::bracket_length(Length& out) {
  if (!starts_length()) return false;
  const std::size_t begin = peek().begin;
  if (compat_ == Compat::v2) {
    duration_ms(take(), out.ms);
    return true;
  }
  const std::size_t reported = errors_.size();
  DurationExprPtr expr = duration_expr(1);
  if (!expr) return false;
  if (expr->op != Op::literal) {
    out.ms = evaluate(*expr, {}, Sign::positive).value_or(0);
    out.formula = std::move(expr);
    return true;
  }
  const double ms = expr->seconds * 1e3;
  if (expr->wrapped) out.formula = std::move(expr);  // prints so again
  if (errors_.size() > reported) return true;
  if (!(ms > 0)) report(begin, "duration must be greater than 0");
  else if (ms >= kMostMs) report(begin, "duration out of range");
  else out.ms = std::llround(ms);
  return true;
}

MutableExpr Parser::range(MutableExpr expr) {
  const std::size_t bracket = take().begin;
  Length length;
  if (!bracket_length(length)) return unexpected("subquery selector", "duration");
  const std::size_t begin = expr->begin;
  if (accept(TokenType::colon)) {
    auto* node = new SubqueryExpr;
    MutableExpr owner(node);
    node->range_ms = length.ms;
    node->range_formula = std::move(length.formula);
    if (!next_is(TokenType::right_bracket)) {
      Length step;
      if (!bracket_length(step)) return unexpected("subquery selector", "duration or \"]\"");
      node->step_ms = step.ms;
      node->step_formula = std::move(step.formula);
      if (!next_is(TokenType::right_bracket)) return unexpected("subquery selector", "\"]\"");
    }
    take();
    finish(*node, begin);
    if (!deeper(*node, {expr.get()})) return nullptr;
    node->inner = std::move(expr);
    return owner;
  }
  if (!accept(TokenType::right_bracket)) return unexpected("subquery or range", "\":\" or \"]\"");
  if (expr->kind != Expr::Kind::selector) {
    report(bracket, "ranges only allowed for vector selectors");
    return expr;
  }
  const auto& selector = static_cast<SelectorExpr&>(*expr);
  if (selector.offset_ms != 0 || selector.offset_formula) report(bracket, "no offset modifiers allowed before range");
  else if (selector.at.kind != At::Kind::none) report(bracket, "no @ modifiers allowed before range");
  auto* node = new MatrixExpr;
  MutableExpr owner(node);
  node->range_ms = length.ms;
  node->range_formula = std::move(length.formula);
  finish(*node, begin);
  deeper(*node, {expr.get()});
  node->inner = std::move(expr);
  return owner;
}

// Without parentheses the first length counts: x offset 1h / 2 is (x offset 1h) / 2. What begins with a parenthesis, or
// with two signs, goes on as long as it can: x offset (1h) / 2 is x offset (1h / 2), and x offset (1h) / y is refused,
// as Prometheus' grammar has it.
bool Parser::offset_length(Length& out) {
  const std::size_t begin = peek().begin;
  if (compat_ == Compat::v2) {
    const bool minus = accept(TokenType::sub);
    if (!next_is(TokenType::duration)) return false;
    duration_ms(take(), out.ms);
    if (minus) out.ms = -out.ms;
    return true;
  }
  const auto signed_next = [this] { return next_is(TokenType::add) || next_is(TokenType::sub); };
  DurationExprPtr expr;
  bool minus = false;
  if (signed_next()) {
    const Token sign = take();
    if (signed_next()) expr = duration_rest(duration_signed(sign), 1);
    else minus = sign.type == TokenType::sub, expr = duration_primary();
  } else {
    expr = next_is(TokenType::left_paren) ? duration_expr(1) : duration_primary();
  }
  if (!expr) return false;
  if (expr->op == Op::literal) {
    const double ms = (minus ? -expr->seconds : expr->seconds) * 1e3;
    if (!(std::abs(ms) < kMostMs)) report(begin, "duration out of range");
    else out.ms = std::llround(ms);
    if (!expr->wrapped) return true;
  }
  if (minus) {
    expr = duration_pair(Op::negate, nullptr, std::move(expr));
    if (!expr) return false;
    expr->begin = begin;
  }
  out.ms = evaluate(*expr, {}, Sign::any).value_or(0);
  out.formula = std::move(expr);
  return true;
}

MutableExpr Parser::offset(MutableExpr expr) {
  take();
  Length length;
  if (!offset_length(length)) return unexpected("offset", "duration");
  const Modifiers modifiers = modifiers_of(*expr);
  if (!modifiers.offset_ms) {
    report(expr->begin,
           "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  } else if (*modifiers.offset_ms != 0 || *modifiers.offset_formula) {
    report(expr->begin, "offset may not be set multiple times");
  } else {
    *modifiers.offset_ms = length.ms;
    *modifiers.offset_formula = std::move(length.formula);
  }
  expr->end = last_end_;
  return expr;
}

}  // namespace promql
