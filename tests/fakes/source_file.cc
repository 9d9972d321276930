#include "fakes/source_file.h"

namespace fakes {

std::string source_file(const std::string& name) { return FETTLE_SOURCE_DIR "/" + name; }

}  // namespace fakes
