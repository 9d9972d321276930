// `fettle recover replay`: what the plans of a configuration would have done, from an OpenMetrics file of samples.
#pragma once

#include <string>

#include "app/replay/plan_replay.h"
#include "base/output_form.h"
#include "model/agent_defaults.h"

namespace app {

struct ReplayRecoverOptions {
  std::string config_file = model::kConfigFile;
  std::string openmetrics;
  bool enforce = false;
  base::OutputForm form = base::OutputForm::text;
};

// 0, or 1 with what is wrong with a file on standard error. Parts of the configuration that cannot be used here, such
// as a receiver whose key file is on another machine, are left out and named.
int replay_recover(const ReplayRecoverOptions& options);

std::string replay_text(const PlanReplay& replay);
std::string replay_json(const PlanReplay& replay, ReplayMode mode);

}  // namespace app
