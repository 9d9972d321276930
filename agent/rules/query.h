// A rule's expression at one instant, as a vector whatever it was.
#pragma once

#include "promql/engine.h"
#include "templates/functions.h"

namespace rules {

// A scalar becomes one sample without labels; a matrix or a string is an error, as in Prometheus.
base::Result<promql::Vector> query_vector(promql::Engine& engine, const promql::Queryable& data,
                                          const promql::Expr& expr, std::int64_t t);

// What templates see at this instant.
templates::TemplateContext template_context(promql::Engine& engine, const promql::Queryable& data,
                                            promql::Compat compat, const std::string& external_url, std::int64_t t);

}  // namespace rules
