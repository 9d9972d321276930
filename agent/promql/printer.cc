// The canonical form of an expression, on one line.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/time.h"
#include "go/format.h"
#include "promql/ast.h"

namespace promql {
namespace {

bool plain_label(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

std::string label_list(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) {
    if (!out.empty()) out += ", ";
    out += plain_label(label) ? label : go::quote(label);
  }
  return out;
}

std::string duration(std::int64_t ms) { return base::format_duration(base::Millis{ms}); }

std::string duration(std::int64_t ms, const SharedDurationExpr& formula) {
  return formula ? print(*formula) : duration(ms);
}

std::string edges_text(Edges edges) { return edges == Edges::plain ? "" : fmt::format(" {}", to_string(edges)); }

std::string at_text(const At& at) {
  if (at.kind == At::Kind::instant) return fmt::format(" @ {:.3f}", static_cast<double>(at.t) / 1e3);
  if (at.kind == At::Kind::start) return " @ start()";
  return at.kind == At::Kind::end ? " @ end()" : "";
}

std::string modifiers(const At& at, std::int64_t offset_ms, const SharedDurationExpr& formula) {
  std::string out = at_text(at);
  if (offset_ms != 0 || formula) out += " offset " + duration(offset_ms, formula);
  return out;
}

std::string bare(const SelectorExpr& expr) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < expr.matchers.size() - (expr.name.empty() ? 0 : 1); ++i) {
    const model::Matcher& matcher = expr.matchers[i];
    const std::string name = plain_label(matcher.name()) ? matcher.name() : go::quote(matcher.name());
    parts.push_back(fmt::format("{}{}{}", name, to_string(matcher.op()), go::quote(matcher.value())));
  }
  if (parts.empty()) return expr.name;
  std::sort(parts.begin(), parts.end());
  return fmt::format("{}{{{}}}", expr.name, fmt::join(parts, ","));
}

std::string matching_text(const BinaryExpr& expr) {
  const VectorMatching& matching = expr.matching;
  const bool grouped =
      matching.cardinality == Cardinality::many_to_one || matching.cardinality == Cardinality::one_to_many;
  const bool shows_group = grouped && expr.compat == Compat::v3;  // 2.x forgets group_left() behind ignoring()
  if (matching.labels.empty() && !matching.on && !shows_group) return "";
  std::string out = fmt::format(" {} ({})", matching.on ? "on" : "ignoring", label_list(matching.labels));
  if (grouped)
    out += fmt::format(" group_{} ({})", matching.cardinality == Cardinality::many_to_one ? "left" : "right",
                       label_list(matching.include));
  return out;
}

std::string number_text(const NumberExpr& expr) {
  if (!expr.duration) return go::format_float(expr.value, expr.compat == Compat::v3 ? 'f' : 'g', -1);
  return duration(std::llround(expr.value * 1e3));
}

std::string aggregate_text(const AggregateExpr& expr) {
  std::string out(to_string(expr.op));
  if (expr.without) out += fmt::format(" without ({}) ", label_list(expr.grouping));
  else if (!expr.grouping.empty()) out += fmt::format(" by ({}) ", label_list(expr.grouping));
  out += '(';
  if (expr.parameter) out += print(*expr.parameter) + ", ";
  return out + print(*expr.inner) + ')';
}

}  // namespace

std::string print(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::number: return number_text(as<NumberExpr>(expr));
    case Expr::Kind::string: return go::quote(as<StringExpr>(expr).value);
    case Expr::Kind::selector: {
      const auto& selector = as<SelectorExpr>(expr);
      // Behind @, where a range has it in front: so it is in Prometheus.
      return bare(selector) + at_text(selector.at) + edges_text(selector.edges) +
             modifiers({}, selector.offset_ms, selector.offset_formula);
    }
    case Expr::Kind::matrix: {
      const auto& matrix = as<MatrixExpr>(expr);
      const SelectorExpr& selector = matrix.selector();
      return fmt::format("{}[{}]{}{}", bare(selector), duration(matrix.range_ms, matrix.range_formula),
                         edges_text(selector.edges),
                         modifiers(selector.at, selector.offset_ms, selector.offset_formula));
    }
    case Expr::Kind::subquery: {
      const auto& subquery = as<SubqueryExpr>(expr);
      return fmt::format(
          "{}[{}:{}]{}", print(*subquery.inner), duration(subquery.range_ms, subquery.range_formula),
          subquery.step_ms == 0 && !subquery.step_formula ? "" : duration(subquery.step_ms, subquery.step_formula),
          modifiers(subquery.at, subquery.offset_ms, subquery.offset_formula));
    }
    case Expr::Kind::call: {
      const auto& call = as<CallExpr>(expr);
      std::string args;
      for (const ExprPtr& arg : call.args) args += (args.empty() ? "" : ", ") + print(*arg);
      return fmt::format("{}({})", call.function->name, args);
    }
    case Expr::Kind::aggregate: return aggregate_text(as<AggregateExpr>(expr));
    case Expr::Kind::binary: {
      const auto& binary = as<BinaryExpr>(expr);
      return fmt::format("{} {}{}{} {}", print(*binary.left), to_string(binary.op), binary.returns_bool ? " bool" : "",
                         matching_text(binary), print(*binary.right));
    }
    case Expr::Kind::unary: {
      const auto& unary = as<UnaryExpr>(expr);
      return (unary.minus ? "-" : "+") + print(*unary.inner);
    }
    case Expr::Kind::paren: return '(' + print(*as<ParenExpr>(expr).inner) + ')';
  }
  return "";
}

}  // namespace promql
