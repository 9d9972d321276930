#include "base/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <map>

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

}  // namespace

struct Regex::Compiled {
  Compiled(std::string_view pattern_text, const re2::RE2::Options& options)
      : text(pattern_text), re("(?:" + text + ")", options), literals(plain_alternatives(pattern_text)) {}
  std::string text;
  re2::RE2 re;
  std::vector<std::string> literals;
};

Regex::Regex(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern, DotNewline dot) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(dot == DotNewline::included);
  options.set_max_mem(4 << 20);
  // Compiled once on its own, so that an unbalanced ')' cannot hide inside the group added around it.
  const re2::RE2 alone(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!alone.ok()) return fail(Kind::invalid, fmt::format("bad regular expression '{}': {}", pattern, alone.error()));
  auto compiled = std::make_unique<Compiled>(pattern, options);
  if (!compiled->re.ok())
    return fail(Kind::invalid, fmt::format("bad regular expression '{}': {}", pattern, compiled->re.error()));
  return Regex(std::move(compiled));
}

const std::string& Regex::pattern() const { return compiled_->text; }

bool Regex::matches_fully(std::string_view text) const {
  return compiled_->re.Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH, nullptr, 0);
}

bool Regex::found_in(std::string_view text) const {
  return compiled_->re.Match({text.data(), text.size()}, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

int Regex::group_count() const { return compiled_->re.NumberOfCapturingGroups(); }

std::vector<std::string_view> Regex::groups_of_full_match(std::string_view text) const {
  const int count = group_count() + 1;
  std::vector<re2::StringPiece> pieces(static_cast<std::size_t>(count));
  if (!compiled_->re.Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH, pieces.data(), count))
    return {};
  std::vector<std::string_view> groups;
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

const std::vector<std::string>& Regex::literals() const { return compiled_->literals; }

std::string quote_regex(std::string_view literal) { return re2::RE2::QuoteMeta({literal.data(), literal.size()}); }

}  // namespace base
