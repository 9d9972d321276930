#include "base/version.h"

namespace base {
std::string_view version() { return FETTLE_VERSION; }
}  // namespace base
