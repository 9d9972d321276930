// What incidents ask of the rest of the agent: how a service is, why, and what its plan may still do. Loop thread.
#pragma once

#include <string>

#include "app/service_health_table.h"
#include "config/agent_config.h"
#include "incident/incidents.h"
#include "probe/schedule.h"
#include "recover/dispatcher.h"

namespace cluster {
class Fleet;
}  // namespace cluster

namespace app {

// `fleet`: null if there is none. All arguments are as they are now, and read during the call only.
incident::Facts incident_facts(const std::string& service, const config::AgentConfig& config,
                               const ServiceHealthTable& health_table, const probe::Schedule& schedule,
                               const recover::Dispatcher& dispatcher, const cluster::Fleet* fleet, base::Instant now,
                               base::WallTime wall_now);

}  // namespace app
