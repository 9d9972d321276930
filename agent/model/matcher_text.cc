#include "model/matcher_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace model {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Reader {
 public:
  Reader(std::string_view text, BareWord bare) : text_(text), bare_(bare) {}

  base::Result<std::vector<Matcher>> read() {
    std::vector<Matcher> out;
    skip_blanks();
    const bool braces = take('{');
    for (;;) {
      skip_blanks();
      if (braces && take('}')) break;
      if (!braces && !out.empty() && at_end()) break;  // a comma at the end, as Alertmanager lets it be
      TRY(auto matcher, one());
      out.push_back(std::move(matcher));
      skip_blanks();
      if (take(',')) continue;
      if (!braces) break;
      if (!take('}')) return wrong("expected a comma or the closing brace");
      break;
    }
    skip_blanks();
    if (!at_end())
      return wrong("expected a comma or the end; quote a value that has a comma, a brace or a quotation mark");
    return out;
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (!at_end() && blank(text_[at_])) ++at_;
  }
  tl::unexpected<base::Error> wrong(std::string_view what) const {
    return base::fail(base::Kind::invalid, fmt::format("bad matcher {} (column {}): {}", text_, at_ + 1, what));
  }

  base::Result<Matcher> one() {
    const std::size_t start = at_;
    const bool in_quotes = take('"');
    std::string name;
    if (in_quotes) {
      TRY(name, quoted());
    } else {
      while (!at_end() && in_bare_name(text_[at_])) ++at_;
      name = text_.substr(start, at_ - start);
    }
    if (name.empty()) return wrong("expected the name of a label, as in service=order");
    skip_blanks();
    if (bare_ == BareWord::is_alertname && (at_end() || text_[at_] == ',' || text_[at_] == '}'))
      return Matcher::equal("alertname", name);
    MatchOp op = MatchOp::equal;
    if (take('=')) op = take('~') ? MatchOp::matches : MatchOp::equal;
    else if (take('!') && !at_end() && (text_[at_] == '=' || text_[at_] == '~'))
      op = text_[at_++] == '~' ? MatchOp::not_matches : MatchOp::not_equal;
    else return wrong("expected one of =, !=, =~ and !~");
    skip_blanks();
    TRY(const std::string value, this->value());
    auto matcher = Matcher::make(op, name, value);
    if (!matcher) return wrong(matcher.error().text);
    return matcher;
  }

  base::Result<std::string> value() {
    if (take('"')) return quoted();
    const std::size_t start = at_;
    while (!at_end() && std::string_view(",{}\"").find(text_[at_]) == std::string_view::npos) ++at_;
    std::string_view out = text_.substr(start, at_ - start);
    while (!out.empty() && blank(out.back())) out.remove_suffix(1);
    return std::string(out);
  }

  base::Result<std::string> quoted() {
    std::string out;
    while (!at_end()) {
      const char c = text_[at_++];
      if (c == '"') return out;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_end()) break;
      const char escaped = text_[at_++];
      if (escaped == 'n') out += '\n';
      else if (escaped == '"' || escaped == '\\') out += escaped;
      else (out += '\\') += escaped;  // of a regular expression, such as \. or \d
    }
    return wrong("the closing quotation mark is missing");
  }

  std::string_view text_;
  BareWord bare_;
  std::size_t at_ = 0;
};

}  // namespace

base::Result<std::vector<Matcher>> parse_matchers(std::string_view text, BareWord bare) {
  return Reader(text, bare).read();
}

}  // namespace model
