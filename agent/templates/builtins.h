// Go text/template's own functions: comparison, logic, index, slice, len, printing and escaping.
#pragma once

#include <span>

#include "templates/functions.h"

namespace templates {

std::span<const Function> builtin_functions();

}  // namespace templates
