#include "rules/query.h"

namespace rules {

base::Result<promql::Vector> query_vector(promql::Engine& engine, const promql::Queryable& data,
                                          const promql::Expr& expr, std::int64_t t) {
  TRY(promql::Value value, engine.instant(expr, data, t));
  if (auto* vector = std::get_if<promql::Vector>(&value)) return std::move(*vector);
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) return promql::Vector{{{}, {t, scalar->v}}};
  return base::fail(base::Kind::invalid, "rule result is not a vector or scalar");
}

templates::TemplateContext template_context(promql::Engine& engine, const promql::Queryable& data,
                                            promql::Compat compat, const std::string& external_url, std::int64_t t) {
  templates::TemplateContext context;
  context.external_url = external_url;
  context.now_ms = t;
  context.compat = compat;
  context.query = [&engine, &data, compat, t](const std::string& text) -> base::Result<promql::Vector> {
    const promql::Parsed parsed = promql::parse(text, compat);
    if (!parsed.ok()) return base::fail(base::Kind::invalid, parsed.error_text());
    return query_vector(engine, data, *parsed.expr, t);
  };
  return context;
}

}  // namespace rules
