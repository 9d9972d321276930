// Text to a checked syntax tree. The grammar is Prometheus 2.42's, with what 3.x added where `compat` is 3.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/matcher.h"
#include "promql/compat.h"
#include "promql/duration_expr.h"
#include "promql/needs.h"
#include "promql/value.h"

namespace promql {

struct Expr;  // ast.h
struct ExprDeleter {
  void operator()(const Expr* expr) const;
};
using ExprPtr = std::unique_ptr<const Expr, ExprDeleter>;

// Prometheus' wording after the position: "1:5: parse error: unexpected …". Positions count from 1, in bytes.
struct ParseError {
  std::size_t line = 1;
  std::size_t column = 1;
  std::string message;
  std::string to_string() const;
};

struct Parsed {
  ExprPtr expr;  // null if there are errors
  std::vector<ParseError> errors;
  bool ok() const { return expr != nullptr; }
  std::string error_text() const;  // "" if ok
};

Parsed parse(std::string_view text, Compat compat = Compat::v3);
// A lone selector such as up{job="x"}, for match[] parameters.
base::Result<std::vector<model::Matcher>> parse_matchers(std::string_view text, Compat compat = Compat::v3);
// A metric with labels as in a series description, {__name__…} included: for unit-test files.
base::Result<model::Labels> parse_metric(std::string_view text, Compat compat = Compat::v3);

// The canonical form, as Prometheus prints expressions.
std::string print(const Expr& expr);
ValueType type_of(const Expr& expr);

// What it reads. `times`: of the query, for step() and range() in lengths of time.
std::vector<Needs> needs(const Expr& expr, std::int64_t lookback_ms = 300'000, const QueryTimes& times = {});

}  // namespace promql
