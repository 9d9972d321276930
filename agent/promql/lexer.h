// Text to tokens, one at a time. A lexical mistake is a token of type `error` whose text is the message; after it only
// `end` comes. Positions are bytes from the start of the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "promql/parser.h"

namespace promql {

enum class TokenType : std::uint8_t {
  end,
  error,
  identifier,         // [a-zA-Z_][a-zA-Z0-9_]*
  metric_identifier,  // the same with a colon in it
  string,             // quotes included
  number,
  duration,
  left_paren,
  right_paren,
  left_brace,
  right_brace,
  left_bracket,
  right_bracket,
  comma,
  colon,
  assign,  // =
  matches,
  not_matches,
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  atan2,
  equal,  // ==
  not_equal,
  less,
  greater,
  less_equal,
  greater_equal,
  and_,
  or_,
  unless,
  at,
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
  quantile,
  bool_,
  by,
  without,
  on,
  ignoring,
  group_left,
  group_right,
  offset,
  start_word,
  end_word,
};

bool is_aggregator(TokenType type);

struct Token {
  TokenType type = TokenType::end;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view text;  // of the input; the message if it is an error
};

// As error messages name a token: identifier "x", <by>, <op:*>, "(", end of input.
std::string describe(const Token& token, Compat compat);

// What a string literal stands for, as Prometheus reads it; the lexer has checked it.
std::string unquote(std::string_view literal);

class Lexer {
 public:
  Lexer(std::string_view text, Compat compat) : text_(text), compat_(compat) {}
  Token next();  // comments are skipped

 private:
  using Rune = char32_t;
  static constexpr Rune kEnd = 0xffffffff;

  Rune take();
  Rune peek() const;
  Rune byte() const;  // the next one, where there is one
  void back() { at_ -= width_; }
  bool accept(std::string_view set);
  void accept_run(std::string_view set);
  void skip_blanks();
  Token emit(TokenType type);
  Token fail(std::string message);

  Token statement();
  Token inside_braces();
  Token word();
  Token quoted(Rune quote);
  Token raw();
  bool escape(Rune quote, std::string& problem);
  Token number_or_duration(std::string_view complaint);
  Token bracket_duration();
  bool scan_number();
  bool scan_decimal_v3();
  bool rest_of_duration();

  std::string_view text_;
  Compat compat_;
  std::size_t start_ = 0;
  std::size_t at_ = 0;
  std::size_t width_ = 0;
  int parens_ = 0;
  bool brace_open_ = false;
  bool bracket_open_ = false;
  bool after_bracket_ = false;  // of 2.x: the next token has to be a duration
  bool had_colon_ = false;
  bool failed_ = false;
  std::string message_;
};

}  // namespace promql
