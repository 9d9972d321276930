#include "model/matcher.h"

#include <fmt/format.h>

#include <algorithm>

namespace model {

std::string_view to_string(MatchOp op) {
  switch (op) {
    case MatchOp::equal: return "=";
    case MatchOp::not_equal: return "!=";
    case MatchOp::matches: return "=~";
    case MatchOp::not_matches: return "!~";
  }
  return "=";
}

base::Result<Matcher> Matcher::make(MatchOp op, std::string_view name, std::string_view value, base::DotNewline dot) {
  Matcher matcher(op, name, value);
  if (op == MatchOp::matches || op == MatchOp::not_matches) {
    TRY(auto regex, base::Regex::compile(value, dot));
    matcher.regex_ = std::make_shared<const base::Regex>(std::move(regex));
  }
  return matcher;
}

Matcher Matcher::equal(std::string_view name, std::string_view value) { return Matcher(MatchOp::equal, name, value); }

bool Matcher::matches(std::string_view label_value) const {
  switch (op_) {
    case MatchOp::equal: return label_value == value_;
    case MatchOp::not_equal: return label_value != value_;
    case MatchOp::matches: return regex_->matches_fully(label_value);
    case MatchOp::not_matches: return !regex_->matches_fully(label_value);
  }
  return false;
}

std::vector<std::string> Matcher::literals() const {
  if (op_ == MatchOp::equal) return {value_};
  if (op_ == MatchOp::matches) return regex_->literals();
  return {};
}

std::string Matcher::to_string() const {
  return fmt::format("{}{}\"{}\"", written_name(name_), model::to_string(op_), escape_label_value(value_));
}

bool in_bare_name(char c) {
  return static_cast<unsigned char>(c) > ' ' && std::string_view("{}!=~,\\\"'`").find(c) == std::string_view::npos;
}

std::string written_name(std::string_view name) {
  if (!name.empty() && std::all_of(name.begin(), name.end(), in_bare_name)) return std::string(name);
  return fmt::format("\"{}\"", escape_label_value(name));
}

bool matches_all(const std::vector<Matcher>& matchers, const Labels& labels) {
  for (const Matcher& matcher : matchers)
    if (!matcher.matches(labels.get(matcher.name()))) return false;
  return true;
}

}  // namespace model
