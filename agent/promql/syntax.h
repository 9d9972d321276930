// The recursive descent behind parse(). Which message an unexpected token gets depends on the innermost construct that
// has one of its own; the others fall back to "unexpected X", as the error rules of Prometheus' grammar do.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "promql/ast.h"
#include "promql/duration_expr.h"
#include "promql/lexer.h"

namespace promql {

using MutableExpr = std::unique_ptr<Expr, ExprDeleter>;

// Levels of recursion while parsing; each is several frames.
inline constexpr std::uint32_t kMaxNesting = 150;

// Where offset and @ of an expression are kept; null if it can have none.
struct Modifiers {
  std::int64_t* offset_ms = nullptr;
  SharedDurationExpr* offset_formula = nullptr;
  At* at = nullptr;
};
Modifiers modifiers_of(Expr& expr);

class Parser {
 public:
  Parser(std::string_view text, Compat compat) : text_(text), compat_(compat), lexer_(text, compat) {}

  MutableExpr expression();     // the whole text; null after an error
  MutableExpr lone_selector();  // the whole text
  // name{a="b"}: the matchers are all equalities.
  MutableExpr lone_metric();

  void report(std::size_t at, std::string message);
  std::vector<ParseError>& errors() { return errors_; }

 private:
  const Token& peek();
  Token take();
  bool next_is(TokenType type) { return peek().type == type; }
  bool accept(TokenType type);
  MutableExpr unexpected(std::string_view context = {}, std::string_view expected = {});

  MutableExpr binary(int least_precedence);
  MutableExpr unary();
  MutableExpr postfix(MutableExpr expr);
  MutableExpr primary();
  MutableExpr number(const Token& token, double sign);
  MutableExpr parenthesised();
  MutableExpr call(const Token& name);
  MutableExpr aggregate(const Token& op);
  MutableExpr selector();                 // {a="b"}
  MutableExpr metric(const Token& name);  // name or name{a="b"}
  MutableExpr series_selector();          // either of the two
  bool arguments(std::vector<ExprPtr>& out);
  bool matching(BinaryExpr& expr);
  bool grouping(std::vector<std::string>& out);
  bool label_matchers(SelectorExpr& out);
  bool label_matcher(SelectorExpr& out);
  MutableExpr offset(MutableExpr expr);
  MutableExpr at_modifier(MutableExpr expr);
  Edges edges_word();
  MutableExpr edges_modifier(MutableExpr expr, Edges edges);
  MutableExpr range(MutableExpr expr);
  // A length of time: a number of milliseconds, or a formula, with what that is in a query at one instant.
  struct Length {
    std::int64_t ms = 0;
    SharedDurationExpr formula{};
  };
  bool starts_length();
  bool bracket_length(Length& out);
  bool offset_length(Length& out);
  DurationExprPtr duration_expr(int least_precedence);
  DurationExprPtr duration_rest(DurationExprPtr left, int least_precedence);
  DurationExprPtr duration_unary();
  DurationExprPtr duration_signed(const Token& sign);
  DurationExprPtr duration_primary();
  DurationExprPtr duration_literal();
  DurationExprPtr duration_call(DurationExpr::Op op);
  DurationExprPtr duration_pair(DurationExpr::Op op, DurationExprPtr left, DurationExprPtr right);
  bool duration_ms(const Token& token, std::int64_t& ms);
  double number_value(const Token& token);
  bool deeper(Expr& expr, std::initializer_list<const Expr*> children);
  void finish(Expr& expr, std::size_t begin);

  std::string_view text_;
  Compat compat_;
  Lexer lexer_;
  Token token_;
  bool has_token_ = false;
  std::size_t last_end_ = 0;
  int inside_aggregate_ = 0;
  std::uint32_t nesting_ = 0;
  std::vector<ParseError> errors_;
};

// Types and matching rules, on a tree without syntax errors; reports what is wrong in Prometheus' order.
void check_types(const Expr& expr, Parser& parser);

}  // namespace promql
