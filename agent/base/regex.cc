#include "base/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/text.h"

namespace base {
namespace {

// The alternatives of a pattern made of plain characters and '|' only.
std::vector<std::string> plain_alternatives(std::string_view pattern) {
  if (pattern.find_first_of("\\.+*?()[]{}^$") != std::string_view::npos) return {};
  std::vector<std::string> out{""};
  for (const char c : pattern) {
    if (c == '|') out.emplace_back();
    else out.back() += c;
  }
  return out;
}

bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// What stands behind a '$' in a replacement: the name of a group, and how many characters it took; 0 for none.
std::size_t group_reference(std::string_view rest, std::string_view& name) {
  if (!rest.empty() && rest[0] == '{') {
    const std::size_t close = rest.find('}');
    if (close == std::string_view::npos || close == 1) return 0;
    name = rest.substr(1, close - 1);
    for (const char c : name)
      if (!is_word(c)) return 0;
    return close + 1;
  }
  std::size_t size = 0;
  while (size < rest.size() && is_word(rest[size])) ++size;
  name = rest.substr(0, size);
  return size;
}

// Go refuses what is nested deeper than this; RE2 takes it, and then takes long to match it.
bool nests_too_deeply(std::string_view pattern) {
  constexpr int kDeepest = 1000;
  int depth = 0;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') ++i;
    else if (in_class) in_class = c != ']';
    else if (c == '[') in_class = true;
    else if (c == '(' && ++depth > kDeepest) return true;
    else if (c == ')') --depth;
  }
  return false;
}

// What Go and RE2 read differently: Go has no \C, and since 1.22 it takes (?<name>…) beside (?P<name>…).
struct GoPattern {
  std::string text;  // as RE2 has to be given it
  bool has_bytes = false;
  bool has_short_name = false;  // (?<name>
};
GoPattern go_pattern(std::string_view pattern) {
  GoPattern out;
  bool literal = false, in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view rest = pattern.substr(i);
    if (rest.starts_with(literal ? "\\E" : "\\Q")) {
      literal = !literal;
      out.text += pattern[i];
    } else if (!literal && pattern[i] == '\\' && rest.size() > 1) {
      out.has_bytes = out.has_bytes || rest[1] == 'C';
      out.text += pattern[i++];
    } else if (!literal && !in_class && rest.starts_with("(?<") && rest.size() > 3 && rest[3] != '=' &&
               rest[3] != '!') {
      out.has_short_name = true;
      out.text += "(?P";
      i += 1;
      continue;
    } else if (!literal) {
      in_class = in_class ? pattern[i] != ']' : pattern[i] == '[';
    }
    out.text += pattern[i];
  }
  return out;
}

constexpr std::string_view kNoBytes = "invalid escape sequence: `\\C`";

std::string_view go_words(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape: return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass: return "invalid character class";
    case re2::RE2::ErrorBadCharRange: return "invalid character class range";
    case re2::RE2::ErrorMissingBracket: return "missing closing ]";
    case re2::RE2::ErrorMissingParen: return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen: return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize: return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8: return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture: return "invalid named capture";
    case re2::RE2::ErrorPatternTooLarge: return "expression too large";
    case re2::RE2::NoError:
    case re2::RE2::ErrorInternal: break;
  }
  return "regexp/syntax: internal error";
}

// RE2 finds no character in bytes that are no UTF-8; Go takes each of them for U+FFFD.
re2::StringPiece piece(const Utf8& subject) { return {subject.text().data(), subject.text().size()}; }

}  // namespace

struct Regex::Compiled {
  Compiled(std::string_view pattern_text, const std::string& for_re2, const re2::RE2::Options& options)
      : text(pattern_text), re("(?:" + for_re2 + ")", options), literals(plain_alternatives(pattern_text)) {}
  std::string text;
  re2::RE2 re;
  std::vector<std::string> literals;
};

Regex::Regex(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern, DotNewline dot) {
  if (nests_too_deeply(pattern))
    return fail(Kind::invalid,
                fmt::format("bad regular expression '{}…': expression nests too deeply", pattern.substr(0, 60)));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(dot == DotNewline::included);
  options.set_max_mem(4 << 20);
  // Compiled once on its own, so that an unbalanced ')' cannot hide inside the group added around it.
  const GoPattern read = go_pattern(pattern);
  if (read.has_bytes) return fail(Kind::invalid, fmt::format("bad regular expression '{}': {}", pattern, kNoBytes));
  const re2::RE2 alone(read.text, options);
  if (!alone.ok()) return fail(Kind::invalid, fmt::format("bad regular expression '{}': {}", pattern, alone.error()));
  auto compiled = std::make_unique<Compiled>(pattern, read.text, options);
  if (!compiled->re.ok())
    return fail(Kind::invalid, fmt::format("bad regular expression '{}': {}", pattern, compiled->re.error()));
  return Regex(std::move(compiled));
}

const std::string& Regex::pattern() const { return compiled_->text; }

bool Regex::matches_fully(std::string_view text) const {
  const Utf8 subject(text);
  return compiled_->re.Match(piece(subject), 0, subject.text().size(), re2::RE2::ANCHOR_BOTH, nullptr, 0);
}

bool Regex::found_in(std::string_view text) const {
  const Utf8 subject(text);
  return compiled_->re.Match(piece(subject), 0, subject.text().size(), re2::RE2::UNANCHORED, nullptr, 0);
}

int Regex::group_count() const { return compiled_->re.NumberOfCapturingGroups(); }

std::vector<std::string> Regex::groups_of_full_match(std::string_view text) const {
  const Utf8 subject(text);
  const int count = group_count() + 1;
  std::vector<re2::StringPiece> pieces(static_cast<std::size_t>(count));
  if (!compiled_->re.Match(piece(subject), 0, subject.text().size(), re2::RE2::ANCHOR_BOTH, pieces.data(), count))
    return {};
  std::vector<std::string> groups;
  groups.reserve(pieces.size());
  for (const re2::StringPiece& piece : pieces)
    groups.emplace_back(piece.data() ? std::string_view(piece.data(), piece.size()) : "");
  return groups;
}

int Regex::group_number(std::string_view name) const {
  const auto& names = compiled_->re.NamedCapturingGroups();
  const auto found = names.find(std::string(name));
  return found == names.end() ? -1 : found->second;
}

std::string Regex::replace_all(std::string_view bytes, std::string_view replacement) const {
  const Utf8 subject(bytes);
  const std::string_view text = subject.text();
  const int count = group_count() + 1;
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(count));
  std::string out;
  const auto append_group = [&](std::string_view name) {
    std::size_t n = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
    if (error != std::errc() || end != name.data() + name.size()) {
      const int named = group_number(name);
      if (named < 0) return;
      n = static_cast<std::size_t>(named);
    }
    if (n < groups.size() && groups[n].data()) out.append(groups[n].data(), groups[n].size());
  };
  const auto expand = [&] {
    for (std::string_view rest = replacement; !rest.empty();) {
      const std::size_t dollar = std::min(rest.find('$'), rest.size());
      out += rest.substr(0, dollar);
      rest.remove_prefix(dollar);
      if (rest.empty()) break;
      rest.remove_prefix(1);
      std::string_view name;
      if (!rest.empty() && rest[0] == '$') {
        out += '$';
        rest.remove_prefix(1);
      } else if (const std::size_t taken = group_reference(rest, name); taken > 0) {
        append_group(name);
        rest.remove_prefix(taken);
      } else {
        out += '$';
      }
    }
  };
  std::size_t search = 0, copied = 0;
  while (search <= text.size() && compiled_->re.Match({text.data(), text.size()}, search, text.size(),
                                                      re2::RE2::UNANCHORED, groups.data(), count)) {
    const auto from = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t to = from + groups[0].size();
    out += text.substr(copied, from - copied);
    // An empty match right behind the last match is not another one.
    if (to > copied || from == 0) expand();
    copied = to;
    std::size_t step = 1;  // at least one whole character of UTF-8
    while (search + step < text.size() && (static_cast<unsigned char>(text[search + step]) & 0xC0u) == 0x80u) ++step;
    search = std::max(search + step, to);
  }
  return out += text.substr(std::min(copied, text.size()));
}

const std::vector<std::string>& Regex::literals() const { return compiled_->literals; }

std::string go_regex_error(std::string_view pattern) {
  if (nests_too_deeply(pattern)) return fmt::format("expression nests too deeply: `{}`", pattern);
  const GoPattern read = go_pattern(pattern);
  if (read.has_bytes) return std::string(kNoBytes);
  const re2::RE2 tried(read.text, re2::RE2::Quiet);
  if (tried.ok()) return "";
  std::string part = tried.error_arg();
  if (read.has_short_name && part.starts_with("(?P<")) part.erase(2, 1);
  return fmt::format("{}: `{}`", go_words(tried.error_code()), part);
}

bool has_short_group_name(std::string_view pattern) { return go_pattern(pattern).has_short_name; }

std::string quote_regex(std::string_view literal) { return re2::RE2::QuoteMeta({literal.data(), literal.size()}); }

}  // namespace base
