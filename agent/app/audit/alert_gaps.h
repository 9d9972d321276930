// Services of which no alert speaks, alerts that reach no receiver, receivers that hear nothing. Pure.
#pragma once

#include <vector>

#include "app/audit/finding.h"
#include "app/loaded_config.h"
#include "rules/tools/series_sources.h"

namespace app {

// `sources`: series_sources() of the same configuration, made before its lists of targets were used up.
//
// Said is only what is certain: a label whose value depends on the alert may have any, and a route that may take the
// alert counts. An alert that a route names and leads to a receiver without an integration is meant to be dropped.
std::vector<Finding> alert_gaps(const LoadedConfig& loaded, const rules::SeriesSources& sources);

}  // namespace app
