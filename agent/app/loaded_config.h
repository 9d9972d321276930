// A configuration file and everything it names, read, parsed and checked together: the whole new world of a start or a
// reload, or all of its mistakes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/discoveries.h"
#include "app/options.h"
#include "cluster/fleet.h"
#include "cluster/fleet_settings.h"
#include "config/agent_config.h"
#include "model/agent_defaults.h"
#include "notify/notifications.h"
#include "probe/blackbox/blackbox.h"
#include "probe/schedule.h"
#include "probe/spec.h"
#include "promql/engine_options.h"
#include "recover/drill/drill_spec.h"
#include "recover/drill/fault_drill_spec.h"
#include "recover/plan/plan_spec.h"
#include "recover/standby/standby_spec.h"
#include "recover/traffic/traffic.h"
#include "rules/manager.h"

namespace app {

struct LoadedConfig {
  config::AgentConfig config;  // node, instance and evaluation_interval filled in
  std::vector<probe::Spec> probes;
  probe::Limits limits;
  std::vector<Discovery> discoveries;
  probe::BlackboxModules modules;  // of /probe
  std::vector<std::unique_ptr<recover::PlanSpec>> plans;
  std::vector<std::unique_ptr<const recover::TrafficSpec>> traffic;
  notify::Configuration notifications;
  cluster::FleetSettings fleet;
  std::vector<recover::Drill> drills;
  std::vector<recover::ConfiguredFault> fault_drills;
  std::vector<recover::Standby> standbys;
  std::vector<cluster::FleetService> fleet_services;  // those that are in a group
  std::vector<rules::CompiledGroupPtr> groups;
  std::string shown;     // the file as pages show it; of what runs, see without_document()
  std::string left_out;  // mistakes of the parts that leave_out_mistakes() left out, a line each
};

// The keys of a service under which targets may be listed.
const std::vector<config::TargetsKey>& targets_keys();

promql::Compat compat_of(const config::AgentConfig& config);
// Of rules and of the API alike.
promql::EngineOptions engine_options(const AgentOptions& options, const config::AgentConfig& config);

// Never stops at the first mistake. Usable only if `errors` got none. Relative rule files are looked up beside `file`.
// `listen_address`: where the agent is scraped, [host]:port; its port stands in `instance` where that is not
// configured.
LoadedConfig load(const std::string& file, config::Errors& errors,
                  const std::string& listen_address = model::kListenAddress);

// For who runs it: the document goes, which is some KiB for each probe, and its text stays in `shown`.
LoadedConfig without_document(LoadedConfig loaded);

// For a start, when no older configuration can go on: leaves out the services, receivers, files and the store of a
// fleet that have mistakes, and takes these out of `errors`. What stays there (the file itself, what holds for all
// services) cannot be left out.
void leave_out_mistakes(const std::string& file, LoadedConfig& loaded, config::Errors& errors);

}  // namespace app
