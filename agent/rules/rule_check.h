// `fettle check rules`: rule files looked at without running anything.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace rules {

// Parses rule files, expressions and templates. Rules that stand twice are warned of. 0: good; 1: a mistake; 2: no
// file.
int check_rules(const std::vector<std::string>& files, std::FILE* out, std::FILE* err);

}  // namespace rules
