#include "recover/plan/guard_name.h"

#include <array>
#include <utility>

#include "base/enum_names.h"

namespace recover {
namespace {

constexpr std::array kNames{
    std::pair{GuardName::maintenance, "maintenance"},
    std::pair{GuardName::paused, "paused"},
    std::pair{GuardName::aborted, "aborted"},
    std::pair{GuardName::exhausted, "exhausted"},
    std::pair{GuardName::flapping, "flapping"},
    std::pair{GuardName::changed_recently, "changed_recently"},
    std::pair{GuardName::budget, "budget"},
    std::pair{GuardName::agent_uptime, "agent_uptime"},
    std::pair{GuardName::stall, "stall"},
    std::pair{GuardName::clock_jump, "clock_jump"},
    std::pair{GuardName::agent_overloaded, "agent_overloaded"},
    std::pair{GuardName::unknown, "unknown"},
    std::pair{GuardName::stopped_by_operator, "stopped_by_operator"},
    std::pair{GuardName::drained_by_operator, "drained_by_operator"},
    std::pair{GuardName::unit_missing, "unit_missing"},
    std::pair{GuardName::unit_masked, "unit_masked"},
    std::pair{GuardName::unit_starting, "unit_starting"},
    std::pair{GuardName::unit_job, "unit_job"},
    std::pair{GuardName::node_stopping, "node_stopping"},
    std::pair{GuardName::dependencies, "dependencies"},
    std::pair{GuardName::min_uptime, "min_uptime"},
    std::pair{GuardName::cooldown, "cooldown"},
    std::pair{GuardName::backoff, "backoff"},
    std::pair{GuardName::node_busy, "node_busy"},
    std::pair{GuardName::fleet_unknown, "fleet_unknown"},
    std::pair{GuardName::fleet_panic, "fleet_panic"},
    std::pair{GuardName::fleet_busy, "fleet_busy"},
    std::pair{GuardName::fleet_min_healthy, "fleet_min_healthy"},
    std::pair{GuardName::node_budget, "node_budget"},
    std::pair{GuardName::target_busy, "target_busy"},
    std::pair{GuardName::ask, "ask"},
    std::pair{GuardName::state, "state"},
};

}  // namespace

std::string_view to_string(GuardName name) { return base::name_in(kNames, name); }
std::optional<GuardName> parse_guard_name(std::string_view name) { return base::value_in(kNames, name); }

const std::vector<GuardName>& all_guard_names() {
  static const std::vector<GuardName> names = [] {
    std::vector<GuardName> out;
    for (const auto& [value, text] : kNames) out.push_back(value);
    return out;
  }();
  return names;
}

bool is_for_person(GuardName name) {
  switch (name) {
    case GuardName::maintenance:
    case GuardName::paused:
    case GuardName::aborted:
    case GuardName::exhausted:
    case GuardName::flapping:
    case GuardName::changed_recently:
    case GuardName::stopped_by_operator:
    case GuardName::unit_missing:
    case GuardName::unit_masked:
    case GuardName::ask:
    case GuardName::state: return true;
    default: return false;
  }
}

bool opens_by_ack(GuardName name) {
  switch (name) {
    case GuardName::aborted:
    case GuardName::exhausted:
    case GuardName::flapping:
    case GuardName::changed_recently:
    case GuardName::budget: return true;
    default: return false;
  }
}

bool is_of_unit(GuardName name) {
  switch (name) {
    case GuardName::unit_missing:
    case GuardName::unit_masked:
    case GuardName::unit_starting:
    case GuardName::unit_job:
    case GuardName::node_stopping: return true;
    default: return false;
  }
}

bool is_of_node(GuardName name) {
  return name == GuardName::node_busy || name == GuardName::node_budget || name == GuardName::target_busy;
}

bool is_of_fleet(GuardName name) {
  switch (name) {
    case GuardName::fleet_unknown:
    case GuardName::fleet_panic:
    case GuardName::fleet_busy:
    case GuardName::fleet_min_healthy: return true;
    default: return false;
  }
}

}  // namespace recover
