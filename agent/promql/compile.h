// From the syntax tree to nodes, and the nodes that one file each implements.
#pragma once

#include <string>
#include <vector>

#include "promql/ast.h"
#include "promql/node.h"
#include "promql/selector.h"

namespace promql {

// Parentheses are gone afterwards. Null for strings, which are arguments only, and for range vectors.
NodePtr compile(const Expr& expr);
// Of an expression of type matrix.
RangeSourcePtr compile_range(const Expr& expr, Around around = Around::constant);

NodePtr make_binary(const BinaryExpr& expr, NodePtr left, NodePtr right);
NodePtr make_aggregate(const AggregateExpr& expr, NodePtr parameter, NodePtr inner);
NodePtr make_unary_minus(NodePtr inner);

// By function name; null if the file does not have that one. The arguments are compiled inside.
NodePtr make_math_call(const CallExpr& expr);
NodePtr make_time_call(const CallExpr& expr);
NodePtr make_label_call(const CallExpr& expr);
NodePtr make_histogram_call(const CallExpr& expr);

// What absent() makes of a selector: the labels that its matchers fix.
model::Labels absent_labels(const Expr& arg);

// Labels as Go prints a label set, {__name__="up", job="x"}: in the messages of binary operators.
std::string go_labels(const model::Labels& labels);
// Only these labels; or all but these and the metric name.
model::Labels labels_on(const model::Labels& labels, const std::vector<std::string>& names);
model::Labels labels_ignoring(const model::Labels& labels, const std::vector<std::string>& names);
bool valid_label_name(std::string_view name, Compat compat);

}  // namespace promql
