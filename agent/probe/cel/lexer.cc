#include "probe/cel/lexer.h"

#include <array>
#include <cctype>

#include "base/ascii.h"
#include "base/number.h"
#include "base/rune.h"

namespace probe::cel {
namespace {

bool starts_word(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }

template <typename N>
bool read(std::string_view text, N& out, int radix = 10) {
  const auto value = base::read_number<N>(text, radix);
  out = value.value_or(out);
  return value.has_value();
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> all() {
    std::vector<Token> tokens;
    do {
      skip_blanks();
      tokens.push_back(next());
    } while (tokens.back().kind != Token::Kind::end);
    return tokens;
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void skip_blanks() {
    while (at_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(peek())) != 0) ++at_;
      else if (peek() == '/' && peek(1) == '/') at_ = std::min(text_.find('\n', at_), text_.size());
      else return;
    }
  }

  Token next() {
    Token token;
    token.at = at_;
    if (at_ >= text_.size()) return token;
    const char c = peek();
    if (const std::size_t prefix = string_prefix(); prefix != std::string_view::npos) return string(token, prefix);
    if (starts_word(c)) {
      token.kind = Token::Kind::word;
      while (starts_word(peek()) || base::is_digit(peek())) token.text += text_[at_++];
      return token;
    }
    if (base::is_digit(c) || (c == '.' && base::is_digit(peek(1)))) return number(token);
    token.kind = Token::Kind::sign;
    static constexpr std::array<std::string_view, 6> kPairs{"==", "!=", "<=", ">=", "&&", "||"};
    for (const std::string_view pair : kPairs)
      if (text_.substr(at_, 2) == pair) token.text = pair;
    if (token.text.empty()) {
      if (std::string_view("<>+-*/%!?:.,()[]{}").find(c) == std::string_view::npos)
        throw ParseError{at_, "unexpected character '" + std::string(1, c) + "'" +
                                  (c == '='               ? "; equality is written =="
                                   : c == '&' || c == '|' ? "; write it twice"
                                                          : "")};
      token.text = c;
    }
    at_ += token.text.size();
    return token;
  }

  // The letters before a string's quote; npos: no string stands here.
  std::size_t string_prefix() const {
    std::size_t size = 0;
    while (size < 2 && std::string_view("rRbB").find(peek(size)) != std::string_view::npos && peek(size) != '\0')
      ++size;
    return peek(size) == '"' || peek(size) == '\'' ? size : std::string_view::npos;
  }

  Token string(Token token, std::size_t prefix) {
    token.kind = Token::Kind::string;
    bool raw = false;
    for (; prefix > 0; --prefix) {
      if (peek() == 'b' || peek() == 'B') throw ParseError{at_, "bytes are not offered; write a string"};
      raw = true;
      ++at_;
    }
    const char quote = peek();
    const std::string_view triple(text_.substr(at_, 3));
    const std::string end(triple == std::string(3, quote) ? 3 : 1, quote);
    at_ += end.size();
    while (text_.substr(at_, end.size()) != end) {
      if (at_ >= text_.size() || (end.size() == 1 && peek() == '\n'))
        throw ParseError{token.at, "a string is not closed; its end is " + end};
      if (peek() == '\\' && !raw) escape(token.text);
      else token.text += text_[at_++];
    }
    at_ += end.size();
    return token;
  }

  void escape(std::string& out) {
    const std::size_t from = at_++;
    const char c = peek();
    static constexpr std::string_view kNamed = "abfnrtv\\?\"'`";
    static constexpr std::string_view kMeant = "\a\b\f\n\r\t\v\\?\"'`";
    if (const std::size_t named = kNamed.find(c); c != '\0' && named != std::string_view::npos) {
      out += kMeant[named];
      ++at_;
      return;
    }
    const std::size_t digits = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '3' ? 3 : 0;
    const bool octal = digits == 3;
    if (digits > 0) at_ += octal ? 0 : 1;
    const std::string_view code_text = text_.substr(std::min(at_, text_.size()), digits);
    const auto code = base::read_number<unsigned>(code_text, octal ? 8 : 16);
    if (digits == 0 || code_text.size() != digits || !code || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
      throw ParseError{from, "a string has an escape that is none; a backslash is written \\\\"};
    base::append_rune(out, *code);
    at_ += digits;
  }

  Token number(Token token) {
    const bool hex = peek() == '0' && (peek(1) == 'x' || peek(1) == 'X');
    std::size_t end = at_ + (hex ? 2 : 0);
    bool real = false;
    const auto digits = [&] {
      while (end < text_.size() && (hex ? base::hex_digit(text_[end]) >= 0 : base::is_digit(text_[end]))) ++end;
    };
    digits();
    if (!hex && end + 1 < text_.size() && text_[end] == '.' && base::is_digit(text_[end + 1])) {
      real = true;
      ++end;
      digits();
    }
    if (!hex && end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      real = true;
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      digits();
    }
    const std::string_view written = text_.substr(at_ + (hex ? 2 : 0), end - at_ - (hex ? 2 : 0));
    if (!(real ? read(written, token.real) : read(written, token.number, hex ? 16 : 10)))
      throw ParseError{at_, "a number that cannot be read"};
    token.kind = real ? Token::Kind::real : Token::Kind::integer;
    at_ = end;
    if (!real && (peek() == 'u' || peek() == 'U')) {
      token.kind = Token::Kind::unsigned_integer;
      ++at_;
    }
    if (starts_word(peek()) || base::is_digit(peek()))
      throw ParseError{token.at, "a number that goes on with a letter"};
    return token;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view text) { return Lexer(text).all(); }

}  // namespace probe::cel
