#include <cstdio>
#include <cstdlib>

#include "fuzz/fuzz.h"

void fuzz::require(bool holds, std::string_view why) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(why.size()), why.data());
  std::abort();
}
