// Golden files: UPDATE_GOLDEN=1 writes what the test got to tests/golden, else it must be there already.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "fakes/source_file.h"

namespace fakes {

inline std::string golden(const std::string& name, const std::string& got) {
  const std::filesystem::path path = fakes::source_file("tests/golden/" + name);
  if (std::getenv("UPDATE_GOLDEN")) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << got;
    return got;
  }
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace fakes
