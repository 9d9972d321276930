// Names and signatures of the functions, as the type check needs them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "promql/parser.h"
#include "promql/value.h"

namespace promql {

struct Function {
  std::string_view name;
  ValueType returns;
  std::array<ValueType, 5> args;
  std::uint8_t arg_count;
  // How many more (or, as the last arguments are optional then, fewer by one) arguments it takes; -1: any number.
  std::int8_t variadic;
  bool in_v2 = true;
  bool in_v3 = true;
};

const Function* find_function(std::string_view name, Compat compat);

// The feature flag behind which Prometheus 3 has a function, an aggregation or a modifier of this name that is not
// here. Empty if it has none.
std::string_view feature_flag(std::string_view name);

}  // namespace promql
