// Go's fmt as far as templates show it: %v of every value, Sprintf with its error marks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "templates/value.h"

namespace templates {

std::string print_value(const Value& value);  // %v
std::string sprint(const std::vector<Value>& values);
std::string sprintln(const std::vector<Value>& values);
// `width_limit` bounds what a width or precision can ask for.
std::string sprintf(std::string_view format, const std::vector<Value>& values, int width_limit = 4096);
// As Go's html.EscapeString, a zero byte as the character that stands for what is none.
std::string html_escaped(std::string_view text);

}  // namespace templates
