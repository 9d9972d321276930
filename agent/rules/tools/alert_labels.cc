#include "rules/tools/alert_labels.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "promql/ast.h"
#include "rules/compiled.h"

namespace rules {
namespace {

using promql::as;
using promql::Cardinality;
using promql::Expr;

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool selector_may(const promql::SelectorExpr& selector, std::string_view label) {
  return std::none_of(selector.matchers.begin(), selector.matchers.end(), [&](const model::Matcher& matcher) {
    return matcher.name() == label && matcher.op() == model::MatchOp::equal && matcher.value().empty();
  });
}

bool text_is(const Expr& expr, std::string_view text) {
  const Expr& inner = promql::unwrapped(expr);
  return inner.kind == Expr::Kind::string && as<promql::StringExpr>(inner).value == text;
}

// absent() makes its labels of the conditions that say one value.
bool absent_may(const Expr& arg, std::string_view label) {
  const Expr* inner = &promql::unwrapped(arg);
  if (inner->kind == Expr::Kind::matrix) inner = as<promql::MatrixExpr>(*inner).inner.get();
  if (inner->kind != Expr::Kind::selector) return false;
  const auto& matchers = as<promql::SelectorExpr>(*inner).matchers;
  return std::any_of(matchers.begin(), matchers.end(), [&](const model::Matcher& matcher) {
    return matcher.name() == label && matcher.op() == model::MatchOp::equal && !matcher.value().empty();
  });
}

bool call_may(const promql::CallExpr& call, std::string_view label) {
  const std::string_view name = call.function->name;
  if (name.starts_with("absent")) return absent_may(*call.args.front(), label);
  if ((name == "label_replace" || name == "label_join") && text_is(*call.args[1], label)) return true;
  return std::any_of(call.args.begin(), call.args.end(), [&](const promql::ExprPtr& arg) {
    return (arg->type == promql::ValueType::vector || arg->type == promql::ValueType::matrix) &&
           call.type == promql::ValueType::vector && may_have_label(*arg, label);
  });
}

bool aggregate_may(const promql::AggregateExpr& aggregate, std::string_view label) {
  using promql::AggregateOp;
  if (aggregate.op == AggregateOp::count_values && text_is(*aggregate.parameter, label)) return true;
  const bool inner = may_have_label(*aggregate.inner, label);
  if (aggregate.op == AggregateOp::topk || aggregate.op == AggregateOp::bottomk) return inner;
  return inner && holds(aggregate.grouping, label) != aggregate.without;
}

bool binary_may(const promql::BinaryExpr& binary, std::string_view label) {
  const auto& matching = binary.matching;
  const bool left = may_have_label(*binary.left, label), right = may_have_label(*binary.right, label);
  if (binary.left->type == promql::ValueType::scalar) return right;
  if (binary.right->type == promql::ValueType::scalar) return left;
  if (binary.op == promql::BinaryOp::or_) return left || right;
  if (promql::is_set_operator(binary.op)) return left;
  const bool included = holds(matching.include, label);
  if (matching.cardinality == Cardinality::many_to_one) return left || (included && right);
  if (matching.cardinality == Cardinality::one_to_many) return right || (included && left);
  return left && holds(matching.labels, label) == matching.on;
}

bool is_template(std::string_view text) { return text.find("{{") != std::string_view::npos; }

// What keeps the rule from making an alert with this label and value; "" if nothing does.
std::string obstacle(const CompiledRule& rule, const std::string& label, const std::string& value) {
  if (label == "alertname") return rule.source.alert == value ? "" : "has another name";
  for (const auto& [name, text] : rule.fixed) {
    if (name != label) continue;
    if (is_template(text) || text == value) return "";
    return fmt::format("gives its alerts {}=\"{}\"", label, text);
  }
  return may_have_label(*rule.expr, label) ? "" : fmt::format("makes alerts without the label {}", label);
}

}  // namespace

bool may_have_label(const Expr& expr, std::string_view label) {
  switch (expr.kind) {
    case Expr::Kind::number:
    case Expr::Kind::string: return false;
    case Expr::Kind::selector: return selector_may(as<promql::SelectorExpr>(expr), label);
    case Expr::Kind::matrix: return may_have_label(*as<promql::MatrixExpr>(expr).inner, label);
    case Expr::Kind::subquery: return may_have_label(*as<promql::SubqueryExpr>(expr).inner, label);
    case Expr::Kind::unary: return may_have_label(*as<promql::UnaryExpr>(expr).inner, label);
    case Expr::Kind::paren: return may_have_label(*as<promql::ParenExpr>(expr).inner, label);
    case Expr::Kind::call: return call_may(as<promql::CallExpr>(expr), label);
    case Expr::Kind::aggregate: return aggregate_may(as<promql::AggregateExpr>(expr), label);
    case Expr::Kind::binary: return binary_may(as<promql::BinaryExpr>(expr), label);
  }
  return true;
}

std::string why_no_alert(const std::vector<CompiledGroupPtr>& groups, const WantedLabels& wanted) {
  std::vector<std::string> names;
  std::string nearest_miss, alertname;
  for (const auto& [label, value] : wanted)
    if (label == "alertname") alertname = value;
  std::size_t fewest = wanted.size() + 1;
  for (const CompiledGroupPtr& group : groups)
    for (const CompiledRule& rule : group->rules) {
      if (!rule.alerting()) continue;
      names.push_back(rule.source.alert);
      std::size_t obstacles = 0;
      std::string first;
      for (const auto& [label, value] : wanted) {
        std::string found = obstacle(rule, label, value);
        if (found.empty()) continue;
        ++obstacles;
        if (first.empty() || label != "alertname") first = std::move(found);
      }
      if (obstacles == 0) return "";
      if ((alertname.empty() || rule.source.alert == alertname) && obstacles < fewest) {
        fewest = obstacles;
        nearest_miss = fmt::format("rule {} {}", rule.source.alert, first);
      }
    }
  if (names.empty()) return "rule_files have no alert";
  if (!nearest_miss.empty()) return nearest_miss;
  const std::string near = base::nearest(alertname, names);
  return fmt::format("no rule of rule_files makes the alert {}{}", alertname,
                     near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

}  // namespace rules
