// Operators and functions of the Common Expression Language over values; none of their arguments is an error.
#pragma once

#include "base/regex.h"
#include "probe/cel/expression.h"
#include "probe/cel/value.h"

namespace probe::cel {

// `b` is null where there is one argument. `regex`: the compiled pattern of matches(), if it is known already.
Value apply(Function function, const Value& a, const Value& b, const base::Regex* regex, Memory& memory);

}  // namespace probe::cel
