// `fettle check` and `fettle probe`: the parts of the command line that need every module.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/output_form.h"
#include "rules/tools/rule_check.h"

namespace app {

// The configuration with all files it names, and what is suspicious about its rules. 0 if it would start, 1 with all
// mistakes on standard error, rules::kLintFailed if findings are fatal and there are some. As JSON all is on standard
// output: {"file","ok","mistakes","warnings","findings"}.
int check_config(const std::string& file, const rules::CheckOptions& options,
                 base::OutputForm form = base::OutputForm::text);
// Rule files; with a configuration also whether anything in it can make them fire. Without `compat` they are read as
// the configuration says, else as options.compat. As JSON a configuration with mistakes is the only file of the list.
int check_rules(const std::vector<std::string>& files, const std::string& config_file, rules::CheckOptions options,
                std::optional<promql::Compat> compat);
// The polkit rule for exactly the units and verbs that the configuration's plans name.
int print_polkit(const std::string& file);

// One run of a configured probe (SERVICE/PROBE) or of TYPE TARGET key=value…; Nagios exit codes 0, 2, 3.
int probe_once(const std::string& config_file, const std::vector<std::string>& arguments,
               base::OutputForm form = base::OutputForm::text);

}  // namespace app
