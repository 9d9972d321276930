// `include: [services.d/*.yml]` of fettle.yml: files with `services`, so that each service may have its own. They are
// read as if their services stood in the file that names them; each mistake has the file, line and column where it is.
#pragma once

#include <string>
#include <vector>

#include "config/node.h"

namespace config {

struct Included {
  Node root;                       // of the file, with the services of all
  std::vector<std::string> files;  // that were read, in order
};

// `root` is the tree of `file`; patterns are relative to its folder. Two services of one name, a file that cannot be
// read or has another key than `services`, and a path without * that leads nowhere are mistakes. A pattern may find
// nothing: the package brings an empty folder. What is no list of words is left to the schema.
Included with_included(const Node& root, const std::string& file, Errors& errors);

}  // namespace config
