#include "rules/tools/rule_check.h"

#include <fmt/format.h>

#include <iterator>

#include "base/terminal.h"
#include "rules/compiled.h"

namespace rules {
namespace {

void print_mistakes(const config::Errors& errors, base::Colour colour, std::FILE* out, std::FILE* err) {
  std::fflush(out);
  base::print(err, "{}\n", base::paint("  FAILED:", base::Tone::bad, colour));
  for (const std::string& line : errors.lines()) base::print(err, "{}\n", line);
  base::print(err, "\n");
  std::fflush(err);
}

void print_success(const std::vector<CompiledGroupPtr>& groups, const std::vector<Finding>& findings,
                   base::Colour colour, std::FILE* out) {
  std::size_t rules = 0;
  for (const CompiledGroupPtr& group : groups) rules += group->rules.size();
  base::print(out, "{}: {} rules found\n", base::paint("  SUCCESS", base::Tone::good, colour), rules);
  for (const Finding& finding : findings) base::print(out, "{}\n", painted(finding, colour));
  base::print(out, "\n");
}

}  // namespace

std::vector<Finding> lint(const std::vector<std::vector<CompiledGroupPtr>>& files, const CheckOptions& options) {
  std::vector<Finding> found;
  const auto take = [&](std::vector<Finding> some) {
    found.insert(found.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  };
  SeriesSources sources;
  const bool can_judge = options.sources && options.lint.contains(Lint::never_fires);
  if (can_judge) {
    sources = *options.sources;
    for (const auto& groups : files) sources.add_rules(groups);
  }
  for (const auto& groups : files) {
    if (options.lint.contains(Lint::duplicate_rules)) take(duplicate_rules(groups));
    if (can_judge) take(never_fires(groups, sources));
  }
  sort(found);
  return found;
}

std::string painted(const Finding& finding, base::Colour colour) {
  std::string text = finding.to_string();
  if (const auto at = text.find("warning:"); at != std::string::npos)
    text.replace(at, 8, base::paint("warning:", base::Tone::warn, colour));
  return text;
}

int check_rules(const std::vector<std::string>& files, const CheckOptions& options, std::FILE* out, std::FILE* err) {
  if (files.empty()) {
    base::print(err, "no rule file given; write fettle check rules FILE...\n");
    return 2;
  }
  std::vector<config::Errors> errors(files.size());
  std::vector<std::vector<CompiledGroupPtr>> loaded;
  for (std::size_t i = 0; i < files.size(); ++i)
    loaded.push_back(
        compile(config::load_rule_file(files[i], errors[i], format_of(options.compat)), options.compat, errors[i]));
  const std::vector<Finding> findings = lint(loaded, options);
  bool good = true;
  for (std::size_t i = 0; i < files.size(); ++i) {
    base::print(out, "Checking {}\n", files[i]);
    for (const std::string& warning : errors[i].warnings()) base::print(err, "{} (warning)\n", warning);
    good = good && errors[i].empty();
    if (!errors[i].empty()) {
      print_mistakes(errors[i], options.colour, out, err);
      continue;
    }
    std::vector<Finding> own;
    for (const Finding& finding : findings)
      if (finding.at.file == files[i]) own.push_back(finding);
    print_success(loaded[i], own, options.colour, out);
  }
  if (!good) return 1;
  return options.verdict == LintVerdict::fatal && !findings.empty() ? kLintFailed : 0;
}

}  // namespace rules
