// The version of the program, from the top CMakeLists.txt, and the revision of the sources that it was built from.
#pragma once

#include <string_view>

namespace base {
std::string_view version();
// The first twelve digits of the commit; "unknown" where git does not know one.
std::string_view revision();
}  // namespace base
