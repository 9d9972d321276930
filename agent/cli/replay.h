// `fettle rules replay`: which alerts would have fired when, from rule files and an OpenMetrics file of samples.
#pragma once

#include <string>
#include <vector>

#include "base/terminal.h"
#include "rules/tools/replay.h"

namespace cli {

enum class ReplayOutput { table, openmetrics, json };

struct ReplayRequest {
  std::vector<std::string> rule_files;
  std::string openmetrics;  // file of samples
  std::string start, end;   // "": the oldest and the newest sample
  std::string step = "1m";  // evaluation interval of groups without their own
  promql::Compat compat = promql::Compat::v3;
  ReplayOutput output = ReplayOutput::table;
};

// 0: replayed; 1: a file cannot be used, or a rule failed on the way (the others go on).
int run_replay(const ReplayRequest& request);

std::string replay_table(const rules::Replayed& replayed, base::Colour colour);
// Everything that the rules would have written, with times; OpenMetrics has no staleness markers, so a series that
// ended is seen for five more minutes by who loads it.
std::string replay_openmetrics(const rules::Replayed& replayed);
std::string replay_json(const rules::Replayed& replayed);

}  // namespace cli
