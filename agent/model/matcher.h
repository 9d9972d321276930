// A label matcher: =, !=, =~ or !~. A label that is absent has the value "". Regular expressions match the whole value.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "base/result.h"
#include "model/labels.h"

namespace model {

enum class MatchOp { equal, not_equal, matches, not_matches };

std::string_view to_string(MatchOp op);

class Matcher {
 public:
  static base::Result<Matcher> make(MatchOp op, std::string_view name, std::string_view value,
                                    base::DotNewline dot = base::DotNewline::excluded);
  static Matcher equal(std::string_view name, std::string_view value);

  MatchOp op() const { return op_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  bool matches(std::string_view label_value) const;
  bool matches_empty() const { return matches(""); }
  // For =~ with plain alternatives ("a|b"): the values it can have; else empty. For = the one value.
  std::vector<std::string> literals() const;
  std::string to_string() const;  // name=~"value"

 private:
  Matcher(MatchOp op, std::string_view name, std::string_view value) : op_(op), name_(name), value_(value) {}
  MatchOp op_;
  std::string name_;
  std::string value_;
  std::shared_ptr<const base::Regex> regex_;  // matchers are copied into queries; the compiled pattern is not
};

bool matches_all(const std::vector<Matcher>& matchers, const Labels& labels);

// Whether it needs no quotation marks in a label's name, as Alertmanager reads matchers: all but blanks and what
// matchers are written with. And a name with marks where it needs them.
bool in_bare_name(char c);
std::string written_name(std::string_view name);

}  // namespace model
