#include "base/version.h"

#include "base/revision.h"  // made by packaging/build/revision.cmake

namespace base {
std::string_view version() { return FETTLE_VERSION; }
std::string_view revision() { return FETTLE_REVISION; }
}  // namespace base
