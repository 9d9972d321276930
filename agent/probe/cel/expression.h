// A parsed expression: what evaluation walks. Its parser knows all functions and variables, so that what could never be
// evaluated is a mistake of the configuration.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "probe/cel/lexer.h"
#include "probe/cel/value.h"

namespace probe::cel {

enum class Function {
  // Operators
  negate,
  logical_not,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  equals,
  differs,
  less,
  at_most,
  greater,
  at_least,
  contained,
  // Functions
  size,
  starts_with,
  ends_with,
  contains,
  matches,
  lower_ascii,
  upper_ascii,
  to_int,
  to_uint,
  to_double,
  to_string,
  to_bool,
  dyn,
};

struct Expression {
  enum class Kind {
    literal,
    document,  // the variable that is given
    variable,  // of a comprehension; `slot` says which
    select,    // inner[0].text
    has,       // has(inner[0].text)
    index,
    call,
    list,
    map,  // key, value, key, value …
    conditional,
    logical_and,
    logical_or,
    // inner[0] is what is gone through, `slot` the variable, inner[1] the predicate (of `map`: what is made of each,
    // with a predicate before it if there are three)
    all,
    exists,
    exists_one,
    map_each,
    filter,
  };
  Kind kind = Kind::literal;
  std::size_t at = 0;
  std::string text;  // name of a field; characters of a literal string
  Value literal;
  Function function = Function::size;
  std::size_t slot = 0;
  std::optional<base::Regex> regex;  // of matches(), where the pattern stands in the expression
  std::vector<std::unique_ptr<Expression>> inner;
};

// The document is called `document`. Throws a ParseError.
std::unique_ptr<Expression> parse(std::string_view text, std::string_view document);

}  // namespace probe::cel
