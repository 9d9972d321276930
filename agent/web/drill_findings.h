// What of a service is not as it is wanted to be after a disaster. Pure.
#pragma once

#include <string>
#include <vector>

#include "web/snapshot.h"

namespace web {

// Words of the API: no_drill, last_drill_failed, overdue, never_proven, rpo_missed, rto_missed. `drill` is null where
// the service has none.
std::vector<std::string> drill_findings(const ServicePage& service, const DrillPage* drill, base::WallTime now);
// Of the last run: it proved no restore.
bool proved_nothing(const DrillPage& drill);

}  // namespace web
