// Files below tests/config with the text that is expected for each: FILE.yml and FILE.txt. UPDATE_GOLDEN=1 rewrites.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "base/file.h"
#include "fakes/source_file.h"

namespace golden {

inline std::string folder(const std::string& name) { return fakes::source_file("tests/config/" + name); }

inline std::vector<std::string> inputs(const std::string& name) { return base::glob(folder(name) + "/*.yml"); }

// What stands in `path` with .yml replaced by .txt; with UPDATE_GOLDEN=1 it is written first.
inline std::string expected(const std::string& path, const std::string& got) {
  const std::string golden_path = path.substr(0, path.size() - 4) + ".txt";
  if (std::getenv("UPDATE_GOLDEN")) (void)base::write_file_atomically(golden_path, got);
  return base::read_file(golden_path).value_or("no file " + golden_path);
}

// Messages name the file without its folder, so that they are the same on every machine.
inline std::string without_folder(std::string text, const std::string& path) {
  const std::string prefix = path.substr(0, path.rfind('/') + 1);
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at))
    text.erase(at, prefix.size());
  return text;
}

}  // namespace golden
