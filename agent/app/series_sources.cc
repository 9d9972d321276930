#include "app/series_sources.h"

#include "app/samples.h"
#include "app/snapshot_builder.h"
#include "self/self.h"

namespace app {
namespace {

using Values = std::map<std::string, std::set<std::string>>;

void add_values(Values& values, const model::Labels& labels) {
  for (const model::Label label : labels) values[std::string(label.name)].emplace(label.value);
}

rules::SeriesSource source_of(const probe::Spec& spec, const model::Labels& target) {
  rules::SeriesSource source;
  source.names = {"probe_success", "probe_duration_seconds"};
  source.names.insert(source.names.end(), spec.type->measurements.begin(), spec.type->measurements.end());
  if (const auto& others = spec.type->other_measurements)
    source.names.insert(source.names.end(), others->begin(), others->end());
  else source.kind = rules::SeriesSource::Names::any;
  add_values(source.labels, target.merged(probe_labels(spec)));
  return source;
}

// The page as it is when every service is up, every probe has run and every plan is there.
std::vector<model::MetricFamily> whole_page(const LoadedConfig& loaded) {
  std::map<std::string, ServiceHealth> services;
  std::vector<probe::Status> probes;
  std::vector<recover::PlanStatus> plans;
  for (const auto& [name, service] : loaded.config.services)
    services[name] = {model::Health::up, {}, model::Reason::none, ""};
  for (const probe::Spec& spec : loaded.probes) {
    probe::Status status;
    status.spec = &spec;
    status.health = model::Health::up;
    status.last = probe::Run{&spec, {}, {}, {}, {}};
    probes.push_back(std::move(status));
  }
  for (const auto& plan : loaded.plans) {
    recover::PlanStatus status;
    status.service = plan->service;
    plans.push_back(std::move(status));
  }
  std::vector<rules::GroupStatus> groups(1);
  SnapshotFacts facts{loaded.config,
                      services,
                      probe::Statuses(probes.begin(), probes.end()),
                      std::move(plans),
                      {},
                      std::move(groups),
                      {},
                      {}};
  for (const auto& traffic : loaded.traffic) {
    recover::TrafficStatus& status = facts.traffic.emplace_back(recover::TrafficStatus{traffic->service, {}, {}, {}});
    for (const auto& place : traffic->places) status.places.push_back({place->text(), ""});
  }
  for (const recover::Drill& drill : loaded.drills) {
    recover::DrillStatus& status = facts.drills.emplace_back(recover::DrillStatus{drill, {}, "", {}, {}});
    status.record.proven.emplace().data_age = base::Millis{0};
    status.record.succeeded = true;
  }
  for (const recover::ConfiguredFault& drill : loaded.fault_drills) {
    recover::FaultDrillStatus& status = facts.fault_drills.emplace_back();
    status.service = drill->service;
    status.fault = drill->fault;
    status.record.last_success = status.must_pass_by = base::WallTime{};
    status.record.succeeded = true;
    for (const auto stage :
         {recover::Stage::detect, recover::Stage::locate, recover::Stage::drain, recover::Stage::cure,
          recover::Stage::verify, recover::Stage::undrain, recover::Stage::deliver, recover::Stage::recover})
      status.record.last.stages[stage] = base::Millis{0};
  }
  for (const recover::Standby& standby : loaded.standbys)
    facts.standbys.push_back({standby, recover::StandbyFacts{*standby, loaded.config.global.node}, {}, 0, 0, {}});
  for (const cluster::FleetService& each : loaded.fleet_services) {
    if (!facts.fleet) facts.fleet.emplace();
    cluster::FleetGroupView& group = facts.fleet->groups.emplace_back();
    group.name = each.group.group;
    group.group.members.push_back({{loaded.config.global.node, each.service}});
    group.group.rollout.emplace();
  }
  for (const Discovery& discovery : loaded.discoveries) {
    SourceStatus& status = facts.sources.emplace_back(SourceStatus{discovery.probe.service(), ""});
    status.refreshed = base::WallTime{};
  }
  return metric_families(facts);
}

}  // namespace

rules::SeriesSources series_sources(const LoadedConfig& loaded) {
  rules::SeriesSources sources;
  const model::Labels target = target_labels(loaded.config.global);
  for (const probe::Spec& spec : loaded.probes) sources.add(source_of(spec, target));
  for (const Discovery& discovery : loaded.discoveries) {
    // What the targets are, and which labels they bring, is known to nobody yet; their metrics are.
    rules::SeriesSource source{rules::SeriesSource::Names::any, {}, {}};
    if (const probe::Type* type = discovery.probe.type(); type != nullptr && type->other_measurements) {
      source.kind = rules::SeriesSource::Names::listed;
      source.names = {"probe_success", "probe_duration_seconds"};
      source.names.insert(source.names.end(), type->measurements.begin(), type->measurements.end());
      source.names.insert(source.names.end(), type->other_measurements->begin(), type->other_measurements->end());
    }
    source.labels["service"] = {discovery.probe.service()};
    sources.add(std::move(source));
  }

  Values own, with_services;
  add_values(own, target);
  with_services = own;
  with_services["service"].emplace("");
  for (const auto& [name, service] : loaded.config.services) with_services["service"].insert(name);
  for (const model::MetricFamily& family : whole_page(loaded)) {
    if (family.name.starts_with("probe_")) continue;  // the probes' own, above
    for (const model::MetricPoint& point : family.points) {
      rules::SeriesSource source{rules::SeriesSource::Names::listed, {family.name + std::string(point.suffix)}, own};
      for (const char* label : {"service", "probe"}) source.labels[label] = {std::string(point.labels.get(label))};
      sources.add(std::move(source));
    }
  }
  sources.add({rules::SeriesSource::Names::listed, self::Self("", "").series_names(), with_services});
  sources.add_rules(loaded.groups);
  return sources;
}

}  // namespace app
