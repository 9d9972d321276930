#include "cli/expression_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "promql/parser.h"

namespace cli {
namespace {

using promql::as;
using promql::Expr;

constexpr std::size_t kMostParts = 40;  // asked for and shown
constexpr std::size_t kMostRows = 8;    // of one part

// The parts that have values of their own; numbers and strings stand in the text already.
std::vector<const Expr*> parts_of(const Expr& whole) {
  std::vector<const Expr*> out;
  const auto add = [&](const promql::ExprPtr& part) {
    if (!part) return;
    const Expr& inner = promql::unwrapped(*part);
    if (inner.kind != Expr::Kind::number && inner.kind != Expr::Kind::string) out.push_back(&inner);
  };
  const Expr& expr = promql::unwrapped(whole);
  switch (expr.kind) {
    case Expr::Kind::binary:
      add(as<promql::BinaryExpr>(expr).left);
      add(as<promql::BinaryExpr>(expr).right);
      break;
    case Expr::Kind::aggregate:
      add(as<promql::AggregateExpr>(expr).parameter);
      add(as<promql::AggregateExpr>(expr).inner);
      break;
    case Expr::Kind::call:
      for (const promql::ExprPtr& arg : as<promql::CallExpr>(expr).args) add(arg);
      break;
    case Expr::Kind::unary: add(as<promql::UnaryExpr>(expr).inner); break;
    default: break;
  }
  return out;
}

std::string count(std::size_t n) { return n == 1 ? "1 series" : n == 0 ? "no series" : fmt::format("{} series", n); }

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  for (std::string& one : more)
    if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(std::move(one));
}

}  // namespace

const ExpressionValues::Found& ExpressionValues::of(const Expr& expr) {
  const std::string text = promql::print(expr);
  const auto [at, is_new] = found_.try_emplace(text);
  if (is_new) at->second = query_(text);
  return at->second;
}

std::string ExpressionValues::tree(const Expr& expr) {
  std::string out;
  shown_ = 0;
  add_tree(promql::unwrapped(expr), 1, out);
  if (shown_ >= kMostParts) out += "  … the expression has more parts\n";
  return out;
}

void ExpressionValues::add_tree(const Expr& expr, std::size_t depth, std::string& out) {
  if (++shown_ > kMostParts) return;
  const std::string indent(2 * depth, ' ');
  const Found& found = of(expr);
  const std::string text = promql::print(expr);
  if (!found.error.empty()) out += fmt::format("{}{}: {}\n", indent, text, found.error);
  else if (!found.is_vector && found.rows.size() == 1)
    out += fmt::format("{}{}: {}\n", indent, text, found.rows[0].second);
  else out += fmt::format("{}{}: {}\n", indent, text, count(found.rows.size()));
  if (found.is_vector) {
    const std::size_t rows = std::min(found.rows.size(), kMostRows);
    for (std::size_t i = 0; i < rows; ++i)
      out += fmt::format("{}    {} {}\n", indent, found.rows[i].first, found.rows[i].second);
    if (rows < found.rows.size()) out += fmt::format("{}    … and {} more\n", indent, found.rows.size() - rows);
  }
  for (const Expr* part : parts_of(expr)) add_tree(*part, depth + 1, out);
}

std::vector<std::string> ExpressionValues::why_empty(const Expr& whole) {
  const Expr& expr = promql::unwrapped(whole);
  if (expr.type == promql::ValueType::scalar || expr.type == promql::ValueType::string) return {};  // always there
  const Found& found = of(expr);
  if (!found.error.empty() || !found.rows.empty()) return {};
  const std::string text = promql::print(expr);
  std::vector<std::string> out;
  if (expr.kind != Expr::Kind::binary) {
    for (const Expr* part : parts_of(expr)) append(out, why_empty(*part));
    if (!out.empty()) return out;
    if (expr.kind == Expr::Kind::call)
      for (const Expr* part : parts_of(expr))
        if (of(*part).is_vector)
          return {fmt::format("{} has no value: {} has {}", text, promql::print(*part), count(of(*part).rows.size()))};
    return {fmt::format("no series matches {}", text)};
  }
  const auto& binary = as<promql::BinaryExpr>(expr);
  const Expr &left = promql::unwrapped(*binary.left), &right = promql::unwrapped(*binary.right);
  const bool both_vectors = left.type == promql::ValueType::vector && right.type == promql::ValueType::vector;
  append(out, why_empty(left));
  if (binary.op != promql::BinaryOp::unless) append(out, why_empty(right));
  if (!out.empty()) return out;
  const std::string left_text = promql::print(left), right_text = promql::print(right);
  if (binary.op == promql::BinaryOp::unless)
    return {fmt::format("every series of {} is taken away by one of {}", left_text, right_text)};
  if (both_vectors && (!promql::is_comparison(binary.op) || of(left).rows.empty() || of(right).rows.empty()))
    return {fmt::format("no series of {} has the labels of one of {}", left_text, right_text)};
  const std::size_t series = of(left.type == promql::ValueType::vector ? left : right).rows.size();
  if (series == 1) return {text + " does not hold for the one series there is"};
  return {fmt::format("{} holds for none of {} series", text, series)};
}

}  // namespace cli
