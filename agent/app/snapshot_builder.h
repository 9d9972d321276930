// Pure: from what the modules know to what pages and /metrics show. No clock, no scheduler.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/loaded_config.h"
#include "app/metric_blocks.h"
#include "app/service_health_table.h"
#include "cluster/fleet.h"
#include "notify/notifications.h"
#include "probe/schedule.h"
#include "recover/dispatcher.h"
#include "recover/drill/drills.h"
#include "recover/drill/fault_drills.h"
#include "recover/standby/standbys.h"
#include "recover/traffic/traffic_controller.h"
#include "rules/manager.h"
#include "web/snapshot.h"

namespace app {

// All that a snapshot is made of; references live during the call only.
struct SnapshotFacts {
  const config::AgentConfig& config;
  const std::map<std::string, ServiceHealth>& services;
  probe::Statuses probes;
  std::vector<recover::PlanStatus> plans;
  std::vector<model::RecoveryReport> recoveries;
  std::vector<rules::GroupStatus> groups;
  std::vector<model::Alert> alerts;
  Maintenance maintenance{};
  probe::Load load{};
  std::vector<SourceStatus> sources{};
  int node_actions_left = 0;
  std::string paused{};  // by the node's pause file; ""
  base::Instant now{};   // both clocks at once
  base::WallTime wall_now{};
  std::vector<model::Silence> silences{};
  std::map<model::Labels, std::vector<std::string>> silenced_by{};
  std::vector<notify::ReceiverStatus> receivers{};
  std::optional<cluster::FleetView> fleet{};
  std::vector<recover::TrafficStatus> traffic{};
  std::vector<recover::DrillStatus> drills{};
  std::vector<recover::FaultDrillStatus> fault_drills{};
  std::vector<recover::StandbyStatus> standbys{};
};

// The parts of `snapshot` that are made of facts.
void fill(web::Snapshot& snapshot, SnapshotFacts facts);
std::vector<web::ServicePage> service_pages(const SnapshotFacts& facts);
web::RolloutPage rollout_page(const cluster::Rollout& rollout);
web::FleetPage fleet_page(const cluster::FleetView& view);
std::vector<web::RuleGroupPage> rule_group_pages(std::vector<rules::GroupStatus> groups);
// Probe results under the blackbox exporter's names, and fettle_… about services, recoveries and dependencies. `blocks`
// has what was made for the page before.
model::MetricPage metric_page(const SnapshotFacts& facts, MetricBlocks& blocks);
std::vector<model::MetricFamily> metric_families(const SnapshotFacts& facts);

}  // namespace app
