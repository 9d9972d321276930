// Regular expressions in RE2 syntax, as PromQL and the blackbox exporter have them: linear time, no backtracking.
// The only user of RE2. Subjects may be any bytes: one that belongs to no character of UTF-8 counts as U+FFFD, as in
// Go, and stands so in what is found.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace base {

enum class DotNewline { excluded, included };  // Prometheus 2: '.' stops at a newline; 3: it does not

class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern, DotNewline dot = DotNewline::excluded);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  const std::string& pattern() const;
  bool matches_fully(std::string_view text) const;  // as ^(?:pattern)$
  bool found_in(std::string_view text) const;
  int group_count() const;  // capturing groups without the whole match
  // Empty if the whole text does not match; else the whole match and then each group ("" if it took no part).
  std::vector<std::string> groups_of_full_match(std::string_view text) const;
  // The number of the group with this name, or -1.
  int group_number(std::string_view name) const;
  // Every match replaced, as Go's ReplaceAllString: $1, ${1}, ${name} and $$ in `replacement`; $1x is the group "1x".
  std::string replace_all(std::string_view text, std::string_view replacement) const;
  // The strings that a pattern such as "a|b|c" or "abc" stands for, if it is that simple; else empty. For index
  // look-ups.
  const std::vector<std::string>& literals() const;

 private:
  struct Compiled;
  explicit Regex(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

// What Go's regexp package says about a pattern, without its "error parsing regexp: "; "" if nothing is wrong with it.
std::string go_regex_error(std::string_view pattern);

// Whether a group is named by (?<name>…), which Go takes since 1.22, and so Prometheus 3 and not 2.42.
bool has_short_group_name(std::string_view pattern);

// A literal as a pattern that matches only itself.
std::string quote_regex(std::string_view literal);

}  // namespace base
