#include "rules/compiled.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace rules {
namespace {

// The place of an error inside an expression. In a block text (expr: |) the expression's lines are the file's lines,
// with an indentation that is not known here; then the column counts from where the text starts.
config::Mark place_of(const config::Mark& start, std::size_t line, std::size_t column) {
  config::Mark at = start;
  if (line <= 1) {
    at.column += column > 0 ? column - 1 : 0;
  } else {
    at.line += line - 1;
    at.column = column;
  }
  return at;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs labels_of(const config::RuleGroup& group, const config::Rule& rule) {
  Pairs out;
  for (const model::Label label : group.labels) {
    const bool overridden =
        std::any_of(rule.labels.begin(), rule.labels.end(), [&](const auto& pair) { return pair.first == label.name; });
    if (!overridden) out.emplace_back(label.name, label.value);
  }
  out.insert(out.end(), rule.labels.begin(), rule.labels.end());
  return out;
}

// The line of the template that its mistake names: "line 2: …". 1 if it names none.
std::size_t line_in(std::string_view mistake) {
  static constexpr std::string_view head = "line ";
  if (!mistake.starts_with(head)) return 1;
  std::size_t line = 1;
  std::from_chars(mistake.data() + head.size(), mistake.data() + mistake.size(), line);
  return std::max<std::size_t>(line, 1);
}

void compile_templates(const config::Rule& rule, const Pairs& texts, const Pairs& own,
                       const std::vector<config::Mark>& places, const char* key, promql::Compat compat,
                       std::vector<std::pair<std::string, templates::Template>>& out, config::Errors& errors) {
  for (const auto& [name, text] : texts) {
    auto parsed = templates::Template::parse(rule.alert, text, compat);
    if (parsed) {
      out.emplace_back(name, std::move(*parsed));
      continue;
    }
    config::Mark at = rule.place;  // of a label of the group
    for (std::size_t i = 0; i < own.size() && i < places.size(); ++i)
      if (own[i].first == name) at = place_of(places[i], line_in(parsed.error().text), 1);
    errors.add(at, rule.path + "." + key + "." + name, "bad template: " + parsed.error().text);
  }
}

}  // namespace

void CompiledGroupDeleter::operator()(CompiledGroup* group) const { delete group; }

std::size_t rule_count(const CompiledGroup& group) { return group.rules.size(); }
const std::string& file_of(const CompiledGroup& group) { return group.source.file; }

std::vector<CompiledGroupPtr> compile(std::vector<config::RuleGroup> groups, promql::Compat compat,
                                      config::Errors& errors) {
  std::vector<CompiledGroupPtr> out;
  for (config::RuleGroup& source : groups) {
    CompiledGroupPtr group(new CompiledGroup);
    group->source = std::move(source);
    for (config::Rule& rule : std::exchange(group->source.rules, {})) {
      CompiledRule compiled;
      promql::Parsed parsed = promql::parse(rule.expr, compat);
      for (const promql::ParseError& error : rule.expr.empty() ? std::vector<promql::ParseError>{} : parsed.errors)
        errors.add(place_of(rule.expr_place, error.line, error.column), rule.path + ".expr", error.to_string());
      if (parsed.ok()) {
        compiled.expr = std::move(parsed.expr);
        compiled.query = promql::print(*compiled.expr);
        compiled.needs = promql::needs(*compiled.expr);
      }
      compiled.fixed = labels_of(group->source, rule);
      if (!rule.alert.empty()) {
        compile_templates(rule, compiled.fixed, rule.labels, rule.label_places, "labels", compat, compiled.labels,
                          errors);
        compile_templates(rule, rule.annotations, rule.annotations, rule.annotation_places, "annotations", compat,
                          compiled.annotations, errors);
      }
      if (!compiled.expr) continue;
      // What stands in the templates, and where, is known there.
      rule.annotations = {};
      rule.label_places = rule.annotation_places = {};
      compiled.source = std::move(rule);
      group->rules.push_back(std::move(compiled));
    }
    out.push_back(std::move(group));
  }
  return out;
}

config::RuleFormat format_of(promql::Compat compat) {
  return compat == promql::Compat::v2 ? config::RuleFormat::prometheus_2 : config::RuleFormat::prometheus_3;
}

config::Mark place_in_expr(const config::Rule& rule, std::size_t offset) {
  const std::string_view before = std::string_view(rule.expr).substr(0, offset);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_start = line == 0 ? 0 : before.rfind('\n') + 1;
  return place_of(rule.expr_place, line + 1, before.size() - line_start + 1);
}

bool CompiledRule::reads(const model::Labels& series) const {
  return std::any_of(needs.begin(), needs.end(),
                     [&](const promql::Needs& need) { return model::matches_all(need.matchers, series); });
}

bool same_rule(const CompiledRule& a, const CompiledRule& b) {
  return a.source.record == b.source.record && a.source.alert == b.source.alert && a.query == b.query &&
         a.source.for_duration == b.source.for_duration && a.source.keep_firing_for == b.source.keep_firing_for &&
         a.fixed == b.fixed &&
         std::equal(
             a.annotations.begin(), a.annotations.end(), b.annotations.begin(), b.annotations.end(),
             [](const auto& x, const auto& y) { return x.first == y.first && x.second.text() == y.second.text(); });
}

bool same_group(const CompiledGroup& a, const CompiledGroup& b) {
  return a.source.file == b.source.file && a.source.name == b.source.name && a.source.interval == b.source.interval &&
         a.source.limit == b.source.limit && a.source.query_offset == b.source.query_offset &&
         std::equal(a.rules.begin(), a.rules.end(), b.rules.begin(), b.rules.end(), same_rule);
}

}  // namespace rules
