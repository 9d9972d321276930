// What is suspicious about rules that load well. Each finding has its place in the rule file.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/node.h"
#include "rules/manager.h"
#include "rules/tools/series_sources.h"

namespace rules {

struct CompiledRule;

enum class Lint {
  duplicate_rules,  // two rules write the same series (promtool's)
  never_fires,      // nothing in this configuration makes what the rule reads, or a part of it
};
std::string_view to_string(Lint lint);

// "all", "none", or names with commas between: duplicate-rules, never-fires. The error names what is not known.
base::Result<std::set<Lint>> parse_lint(std::string_view text);

struct Finding {
  config::Mark at;
  std::string path;  // groups[0].rules[3]
  Lint lint;
  std::string rule;  // its name: of the alert, or what is recorded
  std::string what;
  // "file:line:column: path: warning: what [name]"
  std::string to_string() const;
};

// Rules with one name and the same labels, after the first.
std::vector<Finding> duplicate_rules(const std::vector<CompiledGroupPtr>& groups);
// Selectors that nothing can ever find: of the whole rule, which then can never fire; of a part of it, which is then
// always empty; or below absent(), which then always holds.
std::vector<Finding> never_fires(const std::vector<CompiledGroupPtr>& groups, const SeriesSources& sources);
// The same for who asked about a configuration: a file with more than two rules that read what nothing makes says so
// once, as the shipped ones do for what is not configured.
std::vector<Finding> in_brief(const std::vector<Finding>& findings, const std::string& config_file);
// Whether the rule's expression can ever have a result: never_fires() names what keeps it from that.
bool can_fire(const CompiledRule& rule, const SeriesSources& sources);

// In order of file and place.
void sort(std::vector<Finding>& findings);

}  // namespace rules
