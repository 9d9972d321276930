#include "app/until_healthy.h"

namespace app {

void end_where_healthy(const ServiceHealthTable& health_table, notify::Silences& silences,
                       recover::Dispatcher& dispatcher) {
  const auto up_since = [&](const std::string& service) -> std::optional<base::WallTime> {
    const auto found = health_table.all().find(service);
    if (found == health_table.all().end() || found->second.health != model::Health::up) return std::nullopt;
    return found->second.since;
  };
  silences.end_where_healthy(up_since);
  dispatcher.end_maintenance_where_healthy(up_since);
}

}  // namespace app
