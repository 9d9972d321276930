#include "templates/lexer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/rune.h"
#include "go/format.h"

namespace templates {
namespace {

constexpr std::string_view kSpaces = " \t\r\n", kLeft = "{{", kRight = "}}";
constexpr std::string_view kCommentOpen = "/*", kCommentClose = "*/";

bool is_space(char c) { return kSpaces.find(c) != std::string_view::npos; }
// Bytes above ASCII count as letters: whether they are letters in Unicode matters to no real rule file.
bool is_word(char c) { return base::is_alphanumeric(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

class Lexer {
 public:
  explicit Lexer(std::string_view input) : input_(input) {}

  std::vector<Token> run() {
    while (!failed_ && at_ < input_.size()) text();
    if (!failed_) emit(TokenKind::eof);
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return input_.substr(at_); }
  bool sees(std::string_view what) const { return rest().substr(0, what.size()) == what; }
  char peek() const { return at_ < input_.size() ? input_[at_] : '\0'; }

  void count_lines(std::size_t to) {
    line_ += static_cast<std::size_t>(
        std::count(input_.begin() + static_cast<long>(counted_), input_.begin() + static_cast<long>(to), '\n'));
    counted_ = to;
  }
  // The token from start_ to at_.
  void emit(TokenKind kind) {
    count_lines(start_);
    tokens_.push_back({kind, start_, line_, std::string(input_.substr(start_, at_ - start_))});
    start_ = at_;
  }
  void fail(std::string message) {
    count_lines(start_);
    tokens_.push_back({TokenKind::error, start_, line_, std::move(message)});
    failed_ = true;
  }
  bool trims_left(std::string_view after_left) const {
    return after_left.size() >= 2 && after_left[0] == '-' && is_space(after_left[1]);
  }
  static bool trims_right(std::string_view text) {
    return text.size() >= 2 && is_space(text[0]) && text[1] == '-' && text.substr(2, 2) == kRight;
  }

  void text() {
    const std::size_t open = std::min(input_.find(kLeft, at_), input_.size());
    std::size_t end = open;
    const bool action = open < input_.size();
    const bool trim = action && trims_left(input_.substr(open + kLeft.size()));
    if (trim)
      while (end > at_ && is_space(input_[end - 1])) --end;
    at_ = end;
    if (at_ > start_) emit(TokenKind::text);
    at_ = start_ = open;
    if (!action) return;
    const std::size_t marker = trim ? 2 : 0;
    if (input_.substr(open + kLeft.size() + marker, kCommentOpen.size()) == kCommentOpen) {
      at_ = start_ = open + kLeft.size() + marker;
      comment();
      return;
    }
    at_ += kLeft.size();
    emit(TokenKind::left_delimiter);
    at_ = start_ = at_ + marker;
    inside();
  }

  void comment() {
    const std::size_t close = input_.find(kCommentClose, at_ + kCommentOpen.size());
    if (close == std::string_view::npos) return fail("unclosed comment");
    at_ = close + kCommentClose.size();
    const bool trimmed = trims_right(rest());
    if (!trimmed && !sees(kRight)) return fail("comment ends before closing delimiter");
    at_ = start_ = at_ + kRight.size() + (trimmed ? 2 : 0);
    if (trimmed) skip_spaces();
  }

  void inside() {
    int parens = 0;
    while (!failed_) {
      const bool trimmed = trims_right(rest());
      if (trimmed || sees(kRight)) {
        if (parens > 0) return fail("unclosed left paren");
        if (trimmed) at_ = start_ = at_ + 2;
        at_ += kRight.size();
        emit(TokenKind::right_delimiter);
        return trimmed ? skip_spaces() : void();
      }
      if (at_ >= input_.size()) return fail("unclosed action");
      const char c = input_[at_];
      if (is_space(c)) space();
      else if (c == '"' || c == '\'') quoted(c);
      else if (c == '`') raw();
      else if (c == '$') name(TokenKind::variable, TokenKind::variable);
      else if (c == '.' && !(at_ + 1 < input_.size() && base::is_digit(input_[at_ + 1])))
        name(TokenKind::field, TokenKind::dot);
      else if (c == '.' || c == '+' || c == '-' || base::is_digit(c)) number();
      else if (is_word(c)) word();
      else punctuation(c, parens);
    }
  }
  void skip_spaces() {
    while (at_ < input_.size() && is_space(input_[at_])) ++at_;
    start_ = at_;
  }

  void space() {
    while (at_ < input_.size() && is_space(input_[at_]) && !(at_ > start_ && trims_right(rest()))) ++at_;
    emit(TokenKind::space);
  }

  void punctuation(char c, int& parens) {
    ++at_;
    if (c == '=') return emit(TokenKind::assign);
    if (c == '|') return emit(TokenKind::pipe);
    if (c == ':') {
      if (peek() != '=') return fail("expected :=");
      ++at_;
      return emit(TokenKind::declare);
    }
    if (c == '(') {
      ++parens;
      return emit(TokenKind::left_paren);
    }
    if (c == ')') {
      if (--parens < 0) return fail("unexpected right paren");
      return emit(TokenKind::right_paren);
    }
    if (c > ' ' && c < 0x7f) return emit(TokenKind::character);
    fail(fmt::format("unrecognized character in action: {}", rune_name(at_ - 1)));
  }

  void quoted(char mark) {
    for (++at_; at_ < input_.size() && input_[at_] != mark && input_[at_] != '\n'; ++at_)
      if (input_[at_] == '\\' && at_ + 1 < input_.size() && input_[at_ + 1] != '\n') ++at_;
    if (peek() != mark || at_ >= input_.size())
      return fail(mark == '"' ? "unterminated quoted string" : "unterminated character constant");
    ++at_;
    emit(mark == '"' ? TokenKind::string : TokenKind::character_constant);
  }
  void raw() {
    const std::size_t close = input_.find('`', at_ + 1);
    if (close == std::string_view::npos) return fail("unterminated raw quoted string");
    at_ = close + 1;
    emit(TokenKind::raw_string);
  }

  bool at_terminator() const {
    return at_ >= input_.size() || is_space(input_[at_]) ||
           std::string_view(".,|:)(").find(peek()) != std::string::npos || sees(kRight);
  }
  std::string rune_name(std::size_t at) const {
    std::size_t bytes = 0;
    const char32_t rune = base::first_rune(input_.substr(at), bytes);
    return rune < ' ' ? fmt::format("U+{:04X}", static_cast<unsigned>(rune))
                      : fmt::format("U+{:04X} '{}'", static_cast<unsigned>(rune), input_.substr(at, bytes));
  }

  void name(TokenKind kind, TokenKind alone) {
    ++at_;
    if (at_terminator()) return emit(alone);
    while (at_ < input_.size() && is_word(input_[at_])) ++at_;
    if (!at_terminator()) return fail("bad character " + rune_name(at_));
    emit(kind);
  }

  void word() {
    while (at_ < input_.size() && is_word(input_[at_])) ++at_;
    if (!at_terminator()) return fail("bad character " + rune_name(at_));
    static constexpr std::string_view kKeywords[] = {"block", "break", "continue", "define",   "else",
                                                     "end",   "if",    "range",    "template", "with"};
    const std::string_view text = input_.substr(start_, at_ - start_);
    if (std::find(std::begin(kKeywords), std::end(kKeywords), text) != std::end(kKeywords)) emit(TokenKind::keyword);
    else if (text == "nil") emit(TokenKind::nil);
    else if (text == "true" || text == "false") emit(TokenKind::boolean);
    else emit(TokenKind::identifier);
  }

  void number() {
    const auto run = [&](std::string_view digits) {
      while (at_ < input_.size() && digits.find(input_[at_]) != std::string_view::npos) ++at_;
    };
    const auto accept = [&](std::string_view any) {
      if (at_ >= input_.size() || any.find(input_[at_]) == std::string_view::npos) return false;
      ++at_;
      return true;
    };
    accept("+-");
    std::string_view digits = "0123456789_";
    bool hex = false;
    if (accept("0")) {
      if (accept("xX")) digits = "0123456789abcdefABCDEF_", hex = true;
      else if (accept("oO")) digits = "01234567_";
      else if (accept("bB")) digits = "01_";
    }
    run(digits);
    if (accept(".")) run(digits);
    if (digits.size() == 11 && accept("eE")) accept("+-"), run("0123456789_");
    if (hex && accept("pP")) accept("+-"), run("0123456789_");
    if (at_ < input_.size() && is_word(input_[at_])) {
      ++at_;
      return fail("bad number syntax: " + go::quote(input_.substr(start_, at_ - start_)));
    }
    emit(TokenKind::number);
  }

  std::string_view input_;
  std::size_t at_ = 0, start_ = 0, line_ = 1, counted_ = 0;
  bool failed_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view text) { return Lexer(text).run(); }

}  // namespace templates
