// The parts of the grammar around a selector: label matchers, @, and the numbers in them. Ranges and offsets are in
// syntax_duration.cc.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/ascii.h"
#include "base/regex.h"
#include "go/format.h"
#include "promql/syntax.h"

namespace promql {
namespace {

constexpr double kInt64Limit = 9223372036854775807.0;
constexpr double kFarthestMs = 1e18;

// Prometheus 2 shows the pattern as it anchors it, Prometheus 3 as it was written.
std::string regex_error(const std::string& pattern, Compat compat, const base::Error& ours) {
  std::string said = base::go_regex_error(compat == Compat::v3 ? pattern : "^(?:" + pattern + ")$");
  return said.empty() ? ours.text : said;
}

}  // namespace

MutableExpr Parser::lone_selector() {
  MutableExpr expr = series_selector();
  if (!expr) return nullptr;
  if (!next_is(TokenType::end)) return unexpected();
  if (errors_.empty()) check_types(*expr, *this);
  return errors_.empty() ? std::move(expr) : nullptr;
}

MutableExpr Parser::lone_metric() {
  MutableExpr expr = series_selector();
  if (!expr) return nullptr;
  if (!next_is(TokenType::end)) return unexpected();
  for (const model::Matcher& matcher : static_cast<SelectorExpr&>(*expr).matchers)
    if (matcher.op() != model::MatchOp::equal)
      report(0, fmt::format("a series has label values, not conditions: {} cannot stand here", matcher.to_string()));
  return errors_.empty() ? std::move(expr) : nullptr;
}

MutableExpr Parser::selector() {
  auto* node = new SelectorExpr;
  MutableExpr owner(node);
  const std::size_t begin = peek().begin;
  if (!label_matchers(*node)) return nullptr;
  finish(*node, begin);
  return owner;
}

bool Parser::label_matchers(SelectorExpr& out) {
  take();
  while (!next_is(TokenType::right_brace)) {
    if (!label_matcher(out)) return false;
    if (next_is(TokenType::right_brace)) break;
    if (!accept(TokenType::comma)) return unexpected("label matching", "\",\" or \"}\"") != nullptr;
  }
  take();
  return true;
}

bool Parser::label_matcher(SelectorExpr& out) {
  constexpr std::string_view kContext = "label matching";
  const bool quoted = compat_ == Compat::v3 && next_is(TokenType::string);
  if (!quoted && !next_is(TokenType::identifier)) return unexpected(kContext, "identifier or \"}\"") != nullptr;
  const Token name = take();
  const std::string name_text = quoted ? unquote(name.text) : std::string(name.text);
  model::MatchOp op{};
  switch (peek().type) {
    case TokenType::assign: op = model::MatchOp::equal; break;
    case TokenType::not_equal: op = model::MatchOp::not_equal; break;
    case TokenType::matches: op = model::MatchOp::matches; break;
    case TokenType::not_matches: op = model::MatchOp::not_matches; break;
    default:
      if (!quoted) return unexpected(kContext, "label matching operator") != nullptr;
      out.matchers.push_back(model::Matcher::equal(model::kMetricName, name_text));
      return true;
  }
  take();
  if (!next_is(TokenType::string)) return unexpected(kContext, "string") != nullptr;
  const std::string value = unquote(take().text);
  auto matcher = model::Matcher::make(op, name_text, value,
                                      compat_ == Compat::v3 ? base::DotNewline::included : base::DotNewline::excluded);
  const bool is_pattern = op == model::MatchOp::matches || op == model::MatchOp::not_matches;
  if (compat_ == Compat::v2 && is_pattern && base::has_short_group_name(value)) {
    report(name.begin, "error parsing regexp: invalid or unsupported Perl syntax: `(?<`");
  } else if (matcher) {
    out.matchers.push_back(*std::move(matcher));
  } else {
    report(name.begin, "error parsing regexp: " + regex_error(value, compat_, matcher.error()));
    out.matchers.push_back(model::Matcher::equal(name_text, value));
  }
  return true;
}

double Parser::number_value(const Token& token) {
  std::string text;
  for (const char c : token.text)
    if (c != '_') text += c;
  // As Go reads integers: 0x is hexadecimal, a leading 0 octal; what is none is tried as a float.
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const bool octal = !hex && text.size() > 1 && text[0] == '0';
  const char* const first = text.data() + (hex ? 2 : 0);
  const char* const last = text.data() + text.size();
  std::int64_t whole = 0;
  const auto [end, ec] = std::from_chars(first, last, whole, hex ? 16 : (octal ? 8 : 10));
  if (ec == std::errc{} && end == last) return static_cast<double>(whole);
  if (const auto value = go::parse_float(text)) return *value;
  const bool digits_only = text.find_first_not_of("0123456789.eE+-") == std::string::npos && text.back() != 'e' &&
                           text.back() != 'E' && text.back() != '+' && text.back() != '-';
  report(token.begin, fmt::format("error parsing number: strconv.ParseFloat: parsing {}: {}", go::quote(token.text),
                                  digits_only ? "value out of range" : "invalid syntax"));
  return 0;
}

MutableExpr Parser::at_modifier(MutableExpr expr) {
  constexpr std::string_view kContext = "@";
  constexpr std::string_view kExpected = "timestamp";
  take();
  At at;
  if (next_is(TokenType::start_word) || next_is(TokenType::end_word)) {
    at.kind = take().type == TokenType::start_word ? At::Kind::start : At::Kind::end;
    if (!accept(TokenType::left_paren) || !accept(TokenType::right_paren)) return unexpected(kContext, kExpected);
  } else {
    double sign = 1;
    if (next_is(TokenType::add) || next_is(TokenType::sub)) sign = take().type == TokenType::sub ? -1 : 1;
    const bool is_duration = compat_ == Compat::v3 && next_is(TokenType::duration);
    if (!is_duration && !next_is(TokenType::number)) return unexpected(kContext, kExpected);
    std::int64_t ms = 0;
    if (is_duration) duration_ms(take(), ms);
    const double t = sign * (is_duration ? static_cast<double>(ms) / 1e3 : number_value(take()));
    if (!(std::abs(t) < kInt64Limit)) {
      const std::string shown = std::isfinite(t) ? fmt::format("{:f}", t) : go::format_float(t, 'g', -1);
      report(expr->begin, "timestamp out of bounds for @ modifier: " + shown);
    } else {
      // Far beyond any sample, yet with room for offsets and ranges to be added.
      at.t = static_cast<std::int64_t>(std::clamp(std::round(t * 1e3), -kFarthestMs, kFarthestMs));
    }
    at.kind = At::Kind::instant;
  }
  const Modifiers modifiers = modifiers_of(*expr);
  if (!modifiers.at)
    report(expr->begin,
           "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  else if (modifiers.at->kind != At::Kind::none) report(expr->begin, "@ <timestamp> may not be set multiple times");
  else *modifiers.at = at;
  expr->end = last_end_;
  return expr;
}

// anchored and smoothed are words only behind an expression, and names everywhere else.
Edges Parser::edges_word() {
  if (compat_ == Compat::v2 || !next_is(TokenType::identifier)) return Edges::plain;
  for (const Edges edges : {Edges::anchored, Edges::smoothed})
    if (base::same_word(peek().text, to_string(edges))) return edges;
  return Edges::plain;
}

MutableExpr Parser::edges_modifier(MutableExpr expr, Edges edges) {
  take();
  SelectorExpr* selector = nullptr;
  if (expr->kind == Expr::Kind::selector) selector = static_cast<SelectorExpr*>(expr.get());
  // The tree is still the parser's own here, so that it may be changed.
  if (expr->kind == Expr::Kind::matrix)
    selector = const_cast<SelectorExpr*>(&static_cast<MatrixExpr&>(*expr).selector());
  if (!selector) {
    const bool subquery = expr->kind == Expr::Kind::subquery;
    report(expr->begin, fmt::format("{} modifier {}", to_string(edges),
                                    subquery ? "is not supported for subqueries" : "not implemented"));
  } else if (selector->edges != Edges::plain && selector->edges != edges) {
    report(expr->begin, "anchored and smoothed modifiers cannot be used together");
  } else {
    selector->edges = edges;
  }
  expr->end = last_end_;
  return expr;
}

}  // namespace promql
