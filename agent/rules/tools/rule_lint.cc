#include "rules/tools/rule_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "base/edit_distance.h"
#include "promql/ast.h"
#include "promql/parser.h"
#include "rules/compiled.h"
#include "rules/tools/case_difference.h"

namespace rules {
namespace {

using promql::as;
using promql::Expr;

constexpr std::array kAll{Lint::duplicate_rules, Lint::never_fires};

bool is_absent(const Expr& expr) {
  return expr.kind == Expr::Kind::call && as<promql::CallExpr>(expr).function->name.starts_with("absent");
}

// The parts of an expression that are expressions themselves.
std::vector<const Expr*> parts_of(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::number:
    case Expr::Kind::string:
    case Expr::Kind::selector: return {};
    case Expr::Kind::matrix: return {as<promql::MatrixExpr>(expr).inner.get()};
    case Expr::Kind::subquery: return {as<promql::SubqueryExpr>(expr).inner.get()};
    case Expr::Kind::aggregate: {
      const auto& aggregate = as<promql::AggregateExpr>(expr);
      if (!aggregate.parameter) return {aggregate.inner.get()};
      return {aggregate.parameter.get(), aggregate.inner.get()};
    }
    case Expr::Kind::binary: return {as<promql::BinaryExpr>(expr).left.get(), as<promql::BinaryExpr>(expr).right.get()};
    case Expr::Kind::unary: return {as<promql::UnaryExpr>(expr).inner.get()};
    case Expr::Kind::paren: return {as<promql::ParenExpr>(expr).inner.get()};
    case Expr::Kind::call: {
      std::vector<const Expr*> out;
      for (const promql::ExprPtr& arg : as<promql::CallExpr>(expr).args) out.push_back(arg.get());
      return out;
    }
  }
  return {};
}

// One rule's expression beside what can exist.
class Reading {
 public:
  Reading(const CompiledRule& rule, const SeriesSources& sources) : rule_(rule), sources_(sources) {}

  bool can_fire() const { return !always_empty(*rule_.expr); }

  std::vector<Finding> findings() {
    collect(*rule_.expr, can_fire() ? Role::part : Role::whole);
    return std::move(findings_);
  }

 private:
  enum class Role { whole, part, absent };

  // True if the result is empty whatever the samples are. Scalars always have a value.
  bool always_empty(const Expr& expr) const {
    const auto empty = [this](const Expr* part) { return always_empty(*part); };
    if (expr.type == promql::ValueType::scalar || expr.type == promql::ValueType::string || is_absent(expr))
      return false;
    if (expr.kind == Expr::Kind::selector) return !sources_.can_make(as<promql::SelectorExpr>(expr).matchers);
    if (expr.kind == Expr::Kind::aggregate) return always_empty(*as<promql::AggregateExpr>(expr).inner);
    const std::vector<const Expr*> parts = parts_of(expr);
    if (expr.kind == Expr::Kind::binary) {
      const promql::BinaryOp op = as<promql::BinaryExpr>(expr).op;
      if (op == promql::BinaryOp::or_) return std::all_of(parts.begin(), parts.end(), empty);
      if (op == promql::BinaryOp::unless) return empty(parts.front());
    }
    return std::any_of(parts.begin(), parts.end(), empty);
  }

  void collect(const Expr& expr, Role role) {
    if (is_absent(expr)) role = Role::absent;
    if (expr.kind == Expr::Kind::selector) {
      const auto& selector = as<promql::SelectorExpr>(expr);
      if (!sources_.can_make(selector.matchers)) add(selector, role);
    }
    for (const Expr* part : parts_of(expr)) collect(*part, role);
  }

  void add(const promql::SelectorExpr& selector, Role role) {
    const std::string text = promql::print(selector);
    if (!said_.insert(text).second) return;
    const std::string rule = fmt::format("{} {}", rule_.alerting() ? "alert" : "recording", rule_.name());
    const std::string missing = "nothing makes " + text;
    std::string what;
    switch (role) {
      case Role::whole:
        what = fmt::format("{} can never {} here: {}", rule, rule_.alerting() ? "fire" : "have a value", missing);
        break;
      case Role::part: what = fmt::format("a part of {} is always empty here: {}", rule, missing); break;
      case Role::absent: what = fmt::format("absent() in {} always holds here: {}", rule, missing); break;
    }
    findings_.push_back({place_in_expr(rule_.source, selector.begin), rule_.source.path + ".expr", Lint::never_fires,
                         rule_.name(), what + sources_.hint(selector.matchers)});
  }

  const CompiledRule& rule_;
  const SeriesSources& sources_;
  std::vector<Finding> findings_;
  std::set<std::string> said_;
};

}  // namespace

std::string_view to_string(Lint lint) { return lint == Lint::duplicate_rules ? "duplicate-rules" : "never-fires"; }

base::Result<std::set<Lint>> parse_lint(std::string_view text) {
  if (text == "all") return std::set<Lint>(kAll.begin(), kAll.end());
  std::set<Lint> out;
  if (text == "none" || text.empty()) return out;
  std::vector<std::string> known{"all", "none"};
  for (const Lint lint : kAll) known.emplace_back(to_string(lint));
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const auto lint = std::find_if(kAll.begin(), kAll.end(), [&](Lint one) { return to_string(one) == word; });
    if (lint == kAll.end()) {
      const std::string near = base::nearest(word, known);
      return base::fail(base::Kind::invalid, fmt::format("--lint knows {}, not '{}'{}", fmt::join(known, ", "), word,
                                                         near.empty() ? "" : "; did you mean " + near + "?"));
    }
    out.insert(*lint);
    at = end + 1;
  }
  return out;
}

std::string Finding::to_string() const {
  return fmt::format("{}:{}:{}: {}: warning: {} [{}]", at.file, at.line, at.column, path, what, rules::to_string(lint));
}

std::vector<Finding> duplicate_rules(const std::vector<CompiledGroupPtr>& groups) {
  using Identity = std::tuple<bool, std::string, model::Labels>;
  std::map<Identity, config::Mark> seen;
  std::vector<Finding> out;
  for (const CompiledGroupPtr& group : groups)
    for (const CompiledRule& rule : group->rules) {
      std::vector<model::Label> views;
      for (const auto& [name, value] : rule.fixed) views.push_back({name, value});
      const model::Labels labels(std::move(views));
      const config::Mark& at = rule.source.place;
      const auto [first, is_new] = seen.try_emplace(Identity{rule.alerting(), rule.name(), labels}, at);
      if (is_new) continue;
      out.push_back(
          {at, rule.source.path, Lint::duplicate_rules, rule.name(),
           fmt::format("{} with the labels {} stands at {}:{}:{} already: both write the same series", rule.name(),
                       braces(labels), first->second.file, first->second.line, first->second.column)});
    }
  return out;
}

std::vector<Finding> never_fires(const std::vector<CompiledGroupPtr>& groups, const SeriesSources& sources) {
  std::vector<Finding> out;
  for (const CompiledGroupPtr& group : groups)
    for (const CompiledRule& rule : group->rules)
      for (Finding& finding : Reading(rule, sources).findings()) out.push_back(std::move(finding));
  return out;
}

std::vector<Finding> in_brief(const std::vector<Finding>& findings, const std::string& config_file) {
  constexpr std::size_t kEach = 2;
  std::map<std::string, std::vector<std::string>> rules;  // that read what nothing makes, by file
  for (const Finding& finding : findings) {
    std::vector<std::string>& names = rules[finding.at.file];
    if (finding.lint == Lint::never_fires && std::find(names.begin(), names.end(), finding.rule) == names.end())
      names.push_back(finding.rule);
  }
  std::vector<Finding> out;
  std::set<std::string> said;
  for (const Finding& finding : findings) {
    const std::vector<std::string>& names = rules[finding.at.file];
    if (finding.lint != Lint::never_fires || names.size() <= kEach) {
      out.push_back(finding);
    } else if (said.insert(finding.at.file).second) {
      out.push_back(finding);
      out.back().what = fmt::format(
          "{} rules of this file read what nothing makes here: {}; `fettle check rules --config.file={} {}` says what",
          names.size(), fmt::join(names, ", "), config_file, finding.at.file);
    }
  }
  return out;
}

bool can_fire(const CompiledRule& rule, const SeriesSources& sources) { return Reading(rule, sources).can_fire(); }

void sort(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.at.file, a.at.line, a.at.column) < std::tie(b.at.file, b.at.line, b.at.column);
  });
}

}  // namespace rules
