// Numbers of templates.
#pragma once

#include <string>

#include "templates/ast.h"

namespace templates {

// Go's number syntax: decimal, 0x, 0o, 0b, 017, underscores, floats, hexadecimal floats. False if it is none.
bool parse_number(const std::string& text, Number& n);

}  // namespace templates
