// An expression of the Common Expression Language (CEL) over a JSON document that is called `body`, as
// fail_if_body_json_matches_cel has it: literals, lists and maps, fields and indices, has() and in, comparison,
// arithmetic, && || ! and ?:, size, startsWith, endsWith, contains, matches, lowerAscii, upperAscii, conversions (int,
// uint, double, string, bool), and the macros all, exists, exists_one, map and filter.
//
// As in Go's implementation behind the blackbox exporter the document's numbers are doubles: body.n == 1 and body.n > 1
// compare across types, body.n + 1 does not add (write body.n + 1.0). && and || forgive an error on one side if the
// other decides. Not offered: timestamps, durations, bytes, types, messages; a mistake when the expression is compiled.
// There is no type checker besides: what Go's refuses at once ("a" + 1) fails here when it is evaluated.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "probe/cel/lexer.h"

namespace probe::cel {

struct Expression;

struct Answer {
  std::optional<bool> truth;  // none: it is no boolean, or an error
  std::string text;           // the value as an expression would be written, or "error: …"
};

class Program {
 public:
  static tl::expected<Program, ParseError> compile(std::string text);
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  const std::string& text() const { return text_; }
  // The work is bounded: an expression that goes through a document too often ends as an error.
  Answer evaluate(std::string_view json_body) const;

 private:
  Program(std::string text, std::unique_ptr<const Expression> expression);
  std::string text_;
  std::unique_ptr<const Expression> expression_;
};

}  // namespace probe::cel
