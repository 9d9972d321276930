// Go text/template's own functions: comparison, logic, index, slice, len, printing and escaping.
#pragma once

#include <span>

#include "rules/template_functions.h"

namespace rules {

std::span<const Function> builtin_functions();

}  // namespace rules
