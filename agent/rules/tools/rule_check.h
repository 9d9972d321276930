// `fettle check rules`: rule files looked at without running anything. All mistakes and findings of all files at once.
#pragma once

#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "base/output_form.h"
#include "base/terminal.h"
#include "rules/tools/rule_lint.h"

namespace rules {

enum class LintVerdict { warning, fatal };  // fatal: a finding is a bad end, as with promtool's --lint-fatal

inline constexpr int kLintFailed = 3;  // promtool's exit code for it

struct CheckOptions {
  promql::Compat compat = promql::Compat::v3;
  std::set<Lint> lint{Lint::duplicate_rules, Lint::never_fires};
  LintVerdict verdict = LintVerdict::warning;
  base::Colour colour = base::Colour::never;
  base::OutputForm form = base::OutputForm::text;
  // What can exist, besides what the files themselves write. Null: not known, and never_fires is left out.
  const SeriesSources* sources = nullptr;
};

// What is asked for in `options`, in order of place; duplicates are looked for within a file, as promtool does.
std::vector<Finding> lint(const std::vector<std::vector<CompiledGroupPtr>>& files, const CheckOptions& options);
std::string painted(const Finding& finding, base::Colour colour);

// Files that load go to `out`, with their findings; mistakes go to `err`. 0: good; 1: a mistake; 2: no file;
// kLintFailed: only findings, and they are fatal. As JSON all goes to `out`:
// {"ok","files":[{"file","ok","rules","mistakes","warnings","findings"}]}.
int check_rules(const std::vector<std::string>& files, const CheckOptions& options, std::FILE* out, std::FILE* err);

}  // namespace rules
