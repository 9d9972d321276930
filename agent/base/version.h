// The version of the program, from the top CMakeLists.txt.
#pragma once

#include <string_view>

namespace base {
std::string_view version();
}
