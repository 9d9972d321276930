// `fettle audit`: what runs on this node beside what a configuration watches, mends and tells.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "app/audit/finding.h"
#include "app/loaded_config.h"
#include "app/node/node_view.h"
#include "base/output_form.h"
#include "model/agent_defaults.h"
#include "rules/tools/series_sources.h"

namespace app {

struct AuditOptions {
  std::string file = model::kConfigFile;
  std::vector<std::string> skip;  // names of gaps that are not told
  base::OutputForm form = base::OutputForm::text;
};

// 0, or 1 with findings on standard output, the worst first, or with the configuration's mistakes on standard error.
// What could not be seen is told on standard error. No agent is asked, and no port is connected to. As JSON
// {"file","ok","mistakes","warnings","findings","notes"}.
int audit(const AuditOptions& options);

// All gaps, the worst first. Pure.
std::vector<Finding> find_gaps(const NodeView& node, const LoadedConfig& loaded, const rules::SeriesSources& sources);

}  // namespace app
