// Paths in the source tree. Only source_file.cc knows where the tree lies, so that the compiler cache serves the
// objects of all other tests to every folder.
#pragma once

#include <string>

namespace fakes {

std::string source_file(const std::string& name);  // "rules/services.yml" -> its path

}  // namespace fakes
