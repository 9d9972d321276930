#include "promql/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/rune.h"
#include "go/format.h"

namespace promql {
namespace {

struct Keyword {
  std::string_view word;
  TokenType type;
};
constexpr std::array kKeywords{
    Keyword{"and", TokenType::and_},
    Keyword{"or", TokenType::or_},
    Keyword{"unless", TokenType::unless},
    Keyword{"atan2", TokenType::atan2},
    Keyword{"sum", TokenType::sum},
    Keyword{"avg", TokenType::avg},
    Keyword{"count", TokenType::count},
    Keyword{"min", TokenType::min},
    Keyword{"max", TokenType::max},
    Keyword{"group", TokenType::group},
    Keyword{"stddev", TokenType::stddev},
    Keyword{"stdvar", TokenType::stdvar},
    Keyword{"topk", TokenType::topk},
    Keyword{"bottomk", TokenType::bottomk},
    Keyword{"count_values", TokenType::count_values},
    Keyword{"quantile", TokenType::quantile},
    Keyword{"offset", TokenType::offset},
    Keyword{"by", TokenType::by},
    Keyword{"without", TokenType::without},
    Keyword{"on", TokenType::on},
    Keyword{"ignoring", TokenType::ignoring},
    Keyword{"group_left", TokenType::group_left},
    Keyword{"group_right", TokenType::group_right},
    Keyword{"bool", TokenType::bool_},
    Keyword{"start", TokenType::start_word},
    Keyword{"end", TokenType::end_word},
    Keyword{"inf", TokenType::number},
    Keyword{"nan", TokenType::number},
};

bool is_space(char32_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char32_t c) { return c < 0x80 && base::is_digit(static_cast<char>(c)); }
bool is_alpha(char32_t c) { return c < 0x80 && (c == '_' || base::is_letter(static_cast<char>(c))); }
bool is_word(char32_t c) { return is_alpha(c) || is_digit(c); }

// 16 for what is no digit.
int digit_value(char32_t c) {
  const int value = c < 0x80 ? base::hex_digit(static_cast<char>(c)) : -1;
  return value < 0 ? 16 : value;
}

bool is_operator(TokenType type) {
  return (type >= TokenType::matches && type <= TokenType::at) && type != TokenType::assign;
}

}  // namespace

bool is_aggregator(TokenType type) { return type >= TokenType::sum && type <= TokenType::quantile; }

std::string describe(const Token& token, Compat compat) {
  switch (token.type) {
    case TokenType::end: return "end of input";
    case TokenType::identifier: return "identifier " + go::quote(token.text);
    case TokenType::metric_identifier: return "metric identifier " + go::quote(token.text);
    case TokenType::string: return "string " + go::quote_shortened(token.text);
    case TokenType::number: return "number " + go::quote_shortened(token.text);
    case TokenType::duration: return "duration " + go::quote_shortened(token.text);
    case TokenType::at: return fmt::format("\"<Item {}>\" <op:@>", compat == Compat::v2 ? 57389 : 57400);
    default: break;
  }
  if (is_operator(token.type)) return fmt::format("<op:{}>", token.text);
  if (is_aggregator(token.type)) return fmt::format("<aggr:{}>", token.text);
  if (token.type >= TokenType::bool_ && token.type <= TokenType::offset) return fmt::format("<{}>", token.text);
  return go::quote(token.text);
}

std::string unquote(std::string_view literal) {
  const char mark = literal.front();
  std::string_view text = literal.substr(1, literal.size() - 2);
  if (mark == '`') return std::string(text);
  std::string out;
  while (!text.empty()) {
    const char c = text[0];
    text.remove_prefix(1);
    if (c != '\\') {
      out += c;
      continue;
    }
    // Bytes are bytes between single marks, too, which is not so in Go.
    const std::size_t taken = go::unescape(text, '"', out);
    if (taken == 0) out += text[0];  // the mark itself
    text.remove_prefix(std::max<std::size_t>(taken, 1));
  }
  return out;
}

Lexer::Rune Lexer::peek() const {
  if (at_ >= text_.size()) return kEnd;
  std::size_t width = 0;
  return base::first_rune(text_.substr(at_), width);
}

Lexer::Rune Lexer::take() {
  width_ = 0;
  if (at_ >= text_.size()) return kEnd;
  const Rune rune = base::first_rune(text_.substr(at_), width_);
  at_ += width_;
  return rune;
}

char32_t Lexer::byte() const { return static_cast<unsigned char>(text_[at_]); }

bool Lexer::accept(std::string_view set) {
  if (at_ < text_.size() && set.find(text_[at_]) != std::string_view::npos) {
    ++at_;
    return true;
  }
  return false;
}

void Lexer::accept_run(std::string_view set) {
  while (accept(set)) {
  }
}

// White space and comments; afterwards the next token starts here.
void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    if (is_space(byte())) {
      ++at_;
    } else if (text_[at_] == '#') {
      while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
    } else {
      break;
    }
  }
  start_ = at_;
}

Token Lexer::emit(TokenType type) {
  Token token{type, start_, at_, text_.substr(start_, at_ - start_)};
  start_ = at_;
  return token;
}

Token Lexer::fail(std::string message) {
  failed_ = true;
  message_ = std::move(message);
  return {TokenType::error, start_, at_, message_};
}

Token Lexer::next() {
  if (failed_) return {TokenType::end, text_.size(), text_.size(), {}};
  if (after_bracket_) {
    after_bracket_ = false;
    while (at_ < text_.size() && is_space(byte())) ++at_;
    start_ = at_;
    return bracket_duration();
  }
  skip_blanks();
  return brace_open_ ? inside_braces() : statement();
}

Token Lexer::statement() {
  const Rune c = take();
  switch (c) {
    case kEnd:
      if (parens_ != 0) return fail("unclosed left parenthesis");
      if (bracket_open_) return fail("unclosed left bracket");
      return emit(TokenType::end);
    case ',': return emit(TokenType::comma);
    case '*': return emit(TokenType::mul);
    case '/': return emit(TokenType::div);
    case '%': return emit(TokenType::mod);
    case '+': return emit(TokenType::add);
    case '-': return emit(TokenType::sub);
    case '^': return emit(TokenType::pow);
    case '@': return emit(TokenType::at);
    case '=':
      if (peek() == '~') return fail("unexpected character after '=': '~'");
      return emit(accept("=") ? TokenType::equal : TokenType::assign);
    case '!': {
      if (accept("=")) return emit(TokenType::not_equal);
      return fail("unexpected character after '!': " + go::quote_rune(take()));
    }
    case '<': return emit(accept("=") ? TokenType::less_equal : TokenType::less);
    case '>': return emit(accept("=") ? TokenType::greater_equal : TokenType::greater);
    case '"':
    case '\'': return quoted(c);
    case '`': return raw();
    case '(': ++parens_; return emit(TokenType::left_paren);
    case ')': {
      const Token token = emit(TokenType::right_paren);
      return --parens_ < 0 ? fail("unexpected right parenthesis ')'") : token;
    }
    case '{': brace_open_ = true; return emit(TokenType::left_brace);
    case '[':
      if (bracket_open_) return fail("unexpected left bracket '['");
      had_colon_ = false;
      bracket_open_ = true;
      after_bracket_ = compat_ == Compat::v2;
      return emit(TokenType::left_bracket);
    case ']':
      if (!bracket_open_) return fail("unexpected right bracket ']'");
      bracket_open_ = false;
      return emit(TokenType::right_bracket);
    default: break;
  }
  if (is_digit(c) || (c == '.' && is_digit(peek()))) {
    back();
    return number_or_duration("bad number or duration syntax: ");
  }
  if (is_alpha(c) || c == ':') {
    if (!bracket_open_) {
      back();
      return word();
    }
    if (compat_ == Compat::v3 && c != ':') {
      back();
      while (at_ < text_.size() && is_word(byte())) ++at_;
      return emit(TokenType::identifier);  // step, range, min_of, max_of, says the parser
    }
    // Prometheus 2 takes any letter for the colon of a subquery; what follows then makes no sense to the parser.
    if (had_colon_) return fail("unexpected colon " + go::quote_rune(c));
    had_colon_ = true;
    return emit(TokenType::colon);
  }
  return fail("unexpected character: " + go::quote_rune(c));
}

Token Lexer::inside_braces() {
  const Rune c = take();
  switch (c) {
    case kEnd: return fail("unexpected end of input inside braces");
    case ',': return emit(TokenType::comma);
    case '"':
    case '\'': return quoted(c);
    case '`': return raw();
    case '=': return emit(accept("~") ? TokenType::matches : TokenType::assign);
    case '!':
      if (accept("~")) return emit(TokenType::not_matches);
      if (accept("=")) return emit(TokenType::not_equal);
      return fail("unexpected character after '!' inside braces: " + go::quote_rune(take()));
    case '{': return fail("unexpected left brace '{'");
    case '}': brace_open_ = false; return emit(TokenType::right_brace);
    default: break;
  }
  if (!is_alpha(c)) return fail("unexpected character inside braces: " + go::quote_rune(c));
  while (at_ < text_.size() && is_word(byte())) ++at_;
  return emit(TokenType::identifier);
}

Token Lexer::word() {
  while (at_ < text_.size() && (is_word(byte()) || text_[at_] == ':')) ++at_;
  const std::string lower = base::lower_case(text_.substr(start_, at_ - start_));
  for (const Keyword& keyword : kKeywords)
    if (keyword.word == lower) return emit(keyword.type);
  return emit(lower.find(':') == std::string::npos ? TokenType::identifier : TokenType::metric_identifier);
}

Token Lexer::quoted(Rune quote) {
  for (;;) {
    const Rune c = take();
    if (c == quote) return emit(TokenType::string);
    if (c == kEnd || c == '\n') return fail("unterminated quoted string");
    if (c == base::kBadRune) return fail("invalid UTF-8 rune");
    std::string problem;
    if (c == '\\' && !escape(quote, problem)) return fail(std::move(problem));
  }
}

// What may follow a backslash; reads it.
bool Lexer::escape(Rune quote, std::string& problem) {
  Rune c = take();
  int digits = 0;
  int base = 16;
  std::uint32_t limit = 255;
  if (c == quote) return true;
  switch (c) {
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\': return true;
    case 'x':
      digits = 2;
      c = take();
      break;
    case 'u':
    case 'U':
      digits = c == 'u' ? 4 : 8;
      limit = 0x10ffff;
      c = take();
      break;
    case kEnd: problem = "escape sequence not terminated"; return false;
    default:
      if (c < '0' || c > '7') {
        problem = "unknown escape sequence " + go::unicode_name(c);
        return false;
      }
      digits = 3;
      base = 8;
  }
  std::uint32_t value = 0;
  for (;;) {
    const int digit = digit_value(c);
    if (digit >= base) {
      problem = c == kEnd ? "escape sequence not terminated"
                          : "illegal character " + go::unicode_name(c) + " in escape sequence";
      return false;
    }
    value = value * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit);
    if (--digits == 0) break;
    c = take();
  }
  if (value > limit || (value >= 0xd800 && value < 0xe000)) {
    problem = "escape sequence is an invalid Unicode code point";
    return false;
  }
  return true;
}

Token Lexer::raw() {
  for (;;) {
    const Rune c = take();
    if (c == '`') return emit(TokenType::string);
    if (c == kEnd) return fail("unterminated raw string");
    if (c == base::kBadRune) return fail("invalid UTF-8 rune");
  }
}

Token Lexer::number_or_duration(std::string_view complaint) {
  if (scan_number()) return emit(TokenType::number);
  if (rest_of_duration()) return emit(TokenType::duration);
  return fail(std::string(complaint) + go::quote(text_.substr(start_, at_ - start_)));
}

Token Lexer::bracket_duration() {
  if (scan_number()) return fail("missing unit character in duration");
  if (rest_of_duration()) return emit(TokenType::duration);
  return fail("bad duration syntax: " + go::quote(text_.substr(start_, at_ - start_)));
}

bool Lexer::scan_number() {
  constexpr std::string_view kDecimal = "0123456789";
  if (compat_ == Compat::v3) return scan_decimal_v3();
  std::string_view digits = kDecimal;
  if (accept("0") && accept("xX")) digits = "0123456789abcdefABCDEF";
  accept_run(digits);
  if (accept(".")) accept_run(digits);
  if (accept("eE")) {
    accept("+-");
    accept_run(kDecimal);
  }
  return !is_word(peek());
}

// 3.x: underscores between digits; a second dot or exponent, and a dangling one, are mistakes.
bool Lexer::scan_decimal_v3() {
  const std::size_t first = at_;
  if (accept("0") && accept("xX")) {
    accept("_");
    do accept_run("0123456789abcdefABCDEF");
    while (accept("_"));
    return text_[at_ - 1] != '_' && !is_word(peek()) && peek() != '.';
  }
  bool dot = false;
  bool exponent = false;
  for (;;) {
    accept_run("0123456789");
    if (accept(".")) {
      if (dot || exponent || accept("_.")) return false;
      dot = true;
    } else if (accept("eE")) {
      if (exponent) return false;
      exponent = true;
      accept("+-");
      if (!is_digit(peek())) return false;
    } else if (accept("_")) {
      if (!is_digit(peek())) return false;
    } else {
      break;
    }
  }
  return at_ != first && !is_word(peek());
}

// After a number: a unit, then more numbers with units. Which units may follow which is for the parser.
bool Lexer::rest_of_duration() {
  if (!accept("smhdwy")) return false;
  accept("s");
  while (accept("0123456789")) {
    accept_run("0123456789");
    if (!accept("smhdw")) return false;
    accept("s");
  }
  if (!is_word(peek())) return true;
  take();
  return false;
}

}  // namespace promql
