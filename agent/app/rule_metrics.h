// What rule groups cost, under the names, types and labels that Prometheus has for its own: dashboards and alerts made
// for Prometheus' rules work on ours. The two summaries of the family are self's.
#pragma once

#include <vector>

#include "app/families.h"
#include "rules/manager.h"

namespace app {

void add_rule_groups(Families& families, const std::vector<rules::GroupStatus>& groups);

}  // namespace app
