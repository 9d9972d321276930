// What an expression reads, for who takes the samples out of a store before they are evaluated.
#pragma once

#include <cstdint>
#include <vector>

#include "model/matcher.h"

namespace promql {

// A selector with the span of time before (and after) the evaluation time that it needs.
struct Needs {
  std::vector<model::Matcher> matchers;
  std::int64_t before_ms = 0;  // range + offset + lookback
  std::int64_t after_ms = 0;   // for negative offsets
  bool absolute = false;       // uses @: the span is not relative; then everything is needed
};

}  // namespace promql
