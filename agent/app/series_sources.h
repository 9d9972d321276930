// Every series that an agent with a configuration can have, before it ran: for the question which rules can never fire.
#pragma once

#include "app/loaded_config.h"
#include "rules/tools/series_sources.h"

namespace app {

// The probes' series by type, the agent's page about itself, and what the configuration's own rules write.
rules::SeriesSources series_sources(const LoadedConfig& loaded);

}  // namespace app
