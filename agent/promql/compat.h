// Whose Prometheus an expression is read and evaluated as: 2.42's, or 3.x's.
#pragma once

namespace promql {

enum class Compat { v2 = 2, v3 = 3 };

}  // namespace promql
