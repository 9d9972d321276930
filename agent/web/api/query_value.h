// What an expression has, for the pages that draw it: asked within the limits of a query over the API, counted as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "promql/parser.h"
#include "promql/value.h"
#include "web/context.h"
#include "web/server/http.h"

namespace web {

// Milliseconds since the epoch. Without a step the expression is evaluated once, at `end`, which is `start`.
struct QuerySpan {
  std::int64_t start = 0, end = 0, step = 0;
};

struct QueryValue {
  promql::Value value;     // its first series, as many as were wanted
  std::size_t series = 0;  // how many there were
  std::vector<std::string> warnings{};
};

// `most`: how many series are wanted. Blocks as a query does; on the worker's thread.
base::Result<QueryValue> query_value(const promql::Expr& expr, const QuerySpan& span, std::size_t most,
                                     const Request& request, const Context& context);

}  // namespace web
