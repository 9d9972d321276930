// The node of every function that makes one number of one number and drops the metric name.
#pragma once

#include <array>

#include "promql/node.h"

namespace promql {

// `args` are the scalar arguments of this step, 0 where there is none.
using ElementFunction = double (*)(double v, const std::array<double, 2>& args);

NodePtr make_elementwise(ElementFunction function, NodePtr inner, NodePtr first = nullptr, NodePtr second = nullptr);

}  // namespace promql
