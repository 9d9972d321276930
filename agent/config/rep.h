// How a parsed document lies in memory, for node.cc and tree_builder.cc only. A Node points at one Rep and shares
// ownership of the whole Document.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "config/node.h"

namespace config {

struct Node::Rep {
  Type type = Type::null;
  bool quoted = false;
  bool tidied = false;  // the checks of a finished tree run once, however many aliases lead here
  mutable Exposure exposure = Exposure::unknown;
  std::size_t weight = 1;  // values below, with aliases counted as often as they are used
  std::string scalar;
  Mark mark;
  Mark text_mark;
  std::vector<const Rep*> items;
  std::vector<std::pair<const Rep*, const Rep*>> entries;
};

}  // namespace config
