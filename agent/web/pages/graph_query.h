// What GET /graph asks the store, from the fields of its form in Prometheus' words: g0.expr, g0.range_input and
// g0.end_input. Other fields of a link that Prometheus knows (g0.tab) change nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "promql/parser.h"
#include "web/api/query_value.h"

namespace web {

struct GraphQuery {
  std::string expression, range, end;      // as written; without a range it is "1h", without an end it is now
  std::vector<std::string> mistakes;       // in the fields, each a sentence
  std::vector<promql::ParseError> errors;  // of the expression
  QuerySpan span;                          // as it was asked; without a step the expression has one value, no graph
  std::optional<QueryValue> value;         // nothing where there is a mistake or an error, or nothing was asked
  std::string trouble;                     // why there is no value although nothing is wrong with the question
};

GraphQuery graph_query(const Request& request, const Context& context);

}  // namespace web
