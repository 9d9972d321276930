#include "rules/rule_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "rules/compiled.h"

namespace rules {
namespace {

// Errors of one file, each on its line.
std::string text_of(const config::Errors& errors) {
  std::string text = errors.text();
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

using Identity = std::tuple<std::string, std::vector<std::pair<std::string, std::string>>>;

// Rules with one name and the same labels write the same series.
std::vector<Identity> duplicates(const std::vector<CompiledGroupPtr>& groups) {
  std::set<Identity> seen, twice;
  for (const CompiledGroupPtr& group : groups)
    for (const CompiledRule& rule : group->rules) {
      Identity identity{rule.name(), rule.fixed};
      std::sort(std::get<1>(identity).begin(), std::get<1>(identity).end());
      if (!seen.insert(identity).second) twice.insert(identity);
    }
  return {twice.begin(), twice.end()};
}

bool check_file(const std::string& path, std::FILE* out, std::FILE* err) {
  fmt::print(out, "Checking {}\n", path);
  config::Errors errors;
  std::vector<config::RuleGroup> source = config::load_rule_file(path, errors);
  const std::vector<CompiledGroupPtr> groups = compile(std::move(source), promql::Compat::v3, errors);
  if (!errors.empty()) {
    std::fflush(out);
    fmt::print(err, "  FAILED:\n{}\n", text_of(errors));
    std::fflush(err);
    return false;
  }
  std::size_t rules = 0;
  for (const CompiledGroupPtr& group : groups) rules += group->rules.size();
  fmt::print(out, "  SUCCESS: {} rules found\n", rules);
  for (const auto& [name, labels] : duplicates(groups)) {
    std::string shown;
    for (const auto& [label, value] : labels) shown += fmt::format("{}{}: {}", shown.empty() ? "" : ", ", label, value);
    fmt::print(out, "  WARNING: {} stands more than once with the labels ({}): both write the same series\n", name,
               shown);
  }
  fmt::print(out, "\n");
  return true;
}

}  // namespace

int check_rules(const std::vector<std::string>& files, std::FILE* out, std::FILE* err) {
  if (files.empty()) {
    fmt::print(err, "no rule file given; write fettle check rules FILE...\n");
    return 2;
  }
  bool good = true;
  for (const std::string& file : files) good = check_file(file, out, err) && good;
  return good ? 0 : 1;
}

}  // namespace rules
