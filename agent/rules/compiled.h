// A group of rules as it is evaluated: expressions parsed, templates parsed, what each rule reads.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/rule_file.h"
#include "promql/parser.h"
#include "rules/manager.h"
#include "templates/template.h"

namespace rules {

struct CompiledRule {
  config::Rule source;  // without annotations, which stand below
  promql::ExprPtr expr;
  std::string query;                                                // the canonical form of the expression
  std::vector<promql::Needs> needs;                                 // what it reads
  std::vector<std::pair<std::string, std::string>> fixed;           // labels of the group and the rule, as written
  std::vector<std::pair<std::string, templates::Template>> labels;  // the same as templates; of alerts only
  std::vector<std::pair<std::string, templates::Template>> annotations;

  bool alerting() const { return !source.alert.empty(); }
  const std::string& name() const { return alerting() ? source.alert : source.record; }
  bool reads(const model::Labels& series) const;
};

struct CompiledGroup {
  config::RuleGroup source;  // without its rules, which stand below
  std::vector<CompiledRule> rules;
};

// The place in the rule file of a byte of the rule's expression.
config::Mark place_in_expr(const config::Rule& rule, std::size_t offset);

// The same text in all that matters to an evaluation.
bool same_rule(const CompiledRule& a, const CompiledRule& b);
bool same_group(const CompiledGroup& a, const CompiledGroup& b);

}  // namespace rules
