// GET /api/v1/parse_query: the tree of an expression, in the words of Prometheus 3.
#include <array>

#include "promql/ast.h"
#include "promql/parser.h"
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

using encoding::Json;
using promql::as;
using promql::Expr;

void write(const Expr& expr, Json& json);

void names(std::string_view key, const std::vector<std::string>& all, Json& json) {
  json.key(key).array([&] {
    for (const std::string& name : all) json.string(name);
  });
}

void modifiers(std::int64_t offset_ms, const promql::At& at, Json& json) {
  json.key("offset").integer(offset_ms);
  json.key("timestamp");
  if (at.kind == promql::At::Kind::instant) json.integer(at.t);
  else json.null();
  json.key("startOrEnd");
  if (at.kind == promql::At::Kind::start) json.string("start");
  else if (at.kind == promql::At::Kind::end) json.string("end");
  else json.null();
}

void selector(const promql::SelectorExpr& expr, Json& json) {
  json.key("name").string(expr.name);
  json.key("matchers").array([&] {
    for (const model::Matcher& matcher : expr.matchers)
      json.object([&] {
        json.key("name").string(matcher.name());
        json.key("value").string(matcher.value());
        json.key("type").string(model::to_string(matcher.op()));
      });
  });
  modifiers(expr.offset_ms, expr.at, json);
  if (expr.edges != promql::Edges::plain) json.key(to_string(expr.edges)).boolean(true);
}

void matching(const promql::BinaryExpr& expr, Json& json) {
  static constexpr std::array kCards{"one-to-one", "many-to-one", "one-to-many", "many-to-many"};
  const bool of_vectors = expr.left->type == promql::ValueType::vector && expr.right->type == promql::ValueType::vector;
  json.key("matching");
  if (!of_vectors) {
    json.null();
    return;
  }
  json.object([&] {
    json.key("card").string(kCards[static_cast<std::size_t>(expr.matching.cardinality)]);
    names("labels", expr.matching.labels, json);
    json.key("on").boolean(expr.matching.on);
    names("include", expr.matching.include, json);
  });
}

void call(const promql::CallExpr& expr, Json& json) {
  const promql::Function& function = *expr.function;
  json.key("type").string("call");
  json.key("func").object([&] {
    json.key("name").string(function.name);
    json.key("argTypes").array([&] {
      for (std::size_t i = 0; i < function.arg_count; ++i) json.string(to_string(function.args[i]));
    });
    json.key("variadic").integer(function.variadic);
    json.key("returnType").string(to_string(function.returns));
  });
  json.key("args").array([&] {
    for (const promql::ExprPtr& arg : expr.args) write(*arg, json);
  });
}

void aggregation(const promql::AggregateExpr& expr, Json& json) {
  json.key("type").string("aggregation");
  json.key("op").string(promql::to_string(expr.op));
  json.key("expr");
  write(*expr.inner, json);
  json.key("param");
  if (expr.parameter) write(*expr.parameter, json);
  else json.null();
  names("grouping", expr.grouping, json);
  json.key("without").boolean(expr.without);
}

void binary(const promql::BinaryExpr& expr, Json& json) {
  json.key("type").string("binaryExpr");
  json.key("op").string(promql::to_string(expr.op));
  json.key("lhs");
  write(*expr.left, json);
  json.key("rhs");
  write(*expr.right, json);
  matching(expr, json);
  json.key("bool").boolean(expr.returns_bool);
}

void subquery(const promql::SubqueryExpr& expr, Json& json) {
  json.key("type").string("subquery");
  json.key("expr");
  write(*expr.inner, json);
  json.key("range").integer(expr.range_ms);
  json.key("step").integer(expr.step_ms);
  modifiers(expr.offset_ms, expr.at, json);
}

void inside(const Expr& expr, Json& json) {
  switch (expr.kind) {
    case Expr::Kind::number: {
      promql::NumberExpr plain;  // durations, too
      plain.value = as<promql::NumberExpr>(expr).value;
      json.key("type").string("numberLiteral");
      json.key("val").string(promql::print(plain));
      break;
    }
    case Expr::Kind::string:
      json.key("type").string("stringLiteral");
      json.key("val").string(as<promql::StringExpr>(expr).value);
      break;
    case Expr::Kind::selector:
      json.key("type").string("vectorSelector");
      selector(as<promql::SelectorExpr>(expr), json);
      break;
    case Expr::Kind::matrix:
      json.key("type").string("matrixSelector");
      json.key("range").integer(as<promql::MatrixExpr>(expr).range_ms);
      selector(as<promql::MatrixExpr>(expr).selector(), json);
      break;
    case Expr::Kind::subquery: subquery(as<promql::SubqueryExpr>(expr), json); break;
    case Expr::Kind::call: call(as<promql::CallExpr>(expr), json); break;
    case Expr::Kind::aggregate: aggregation(as<promql::AggregateExpr>(expr), json); break;
    case Expr::Kind::binary: binary(as<promql::BinaryExpr>(expr), json); break;
    case Expr::Kind::unary:
      json.key("type").string("unaryExpr");
      json.key("op").string(as<promql::UnaryExpr>(expr).minus ? "-" : "+");
      json.key("expr");
      write(*as<promql::UnaryExpr>(expr).inner, json);
      break;
    case Expr::Kind::paren:
      json.key("type").string("parenExpr");
      json.key("expr");
      write(*as<promql::ParenExpr>(expr).inner, json);
      break;
  }
}

void write(const Expr& expr, Json& json) {
  json.object([&] { inside(expr, json); });
}

}  // namespace

Response api_parse_query(const Request& request, const Context& context) {
  const promql::Parsed parsed = promql::parse(request.param("query"), context.options.engine.compat);
  if (!parsed.ok()) return invalid_query(parsed, request, context.options.engine.compat);
  return api_success([&](Json& json) { write(*parsed.expr, json); });
}

}  // namespace web
