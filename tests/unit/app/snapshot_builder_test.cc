#include "app/snapshot_builder.h"

#include <doctest/doctest.h>

#include <algorithm>

using model::Labels;

namespace {

config::AgentConfig shop() {
  config::AgentConfig config;
  config::Service order;
  order.labels = Labels{{"tier", "trading"}};
  order.depends_on = {"redis"};
  config.services = {{"order", order}, {"redis", {}}};
  return config;
}

const model::MetricFamily* family(const std::vector<model::MetricFamily>& families, std::string_view name) {
  const auto found = std::find_if(families.begin(), families.end(), [&](const auto& f) { return f.name == name; });
  return found == families.end() ? nullptr : &*found;
}

app::SnapshotFacts facts_of(const config::AgentConfig& config,
                            const std::map<std::string, app::ServiceHealth>& services) {
  return {config, services, {}, {}, {}, {}, {}, {}};
}

}  // namespace

TEST_CASE("a service that is unknown has no fettle_service_up, and dependencies and labels are metrics") {
  const config::AgentConfig config = shop();
  std::map<std::string, app::ServiceHealth> services{
      {"order", {model::Health::down, {}, model::Reason::refused, "http: refused"}}, {"redis", {}}};
  const auto families = app::metric_families(facts_of(config, services));
  const auto* up = family(families, "fettle_service_up");
  REQUIRE(up != nullptr);
  REQUIRE(up->points.size() == 1);
  CHECK(up->points[0].labels == Labels{{"service", "order"}});
  CHECK(up->points[0].value == 0);
  CHECK(family(families, "fettle_service_dependency")->points[0].labels ==
        Labels{{"depends_on", "redis"}, {"service", "order"}});
  CHECK(family(families, "fettle_service")->points[0].labels == Labels{{"service", "order"}, {"tier", "trading"}});
  for (const auto& f : families) {
    CAPTURE(f.name);
    CHECK(!f.help.empty());
    CHECK(f.help.ends_with('.'));
  }
}

TEST_CASE("the state of a plan is one-hot, and exactly one state is 1") {
  const config::AgentConfig config = shop();
  const std::map<std::string, app::ServiceHealth> services;
  app::SnapshotFacts facts = facts_of(config, services);
  recover::PlanStatus plan;
  plan.service = "order";
  plan.state = model::PlanState::verifying;
  plan.attempts_left = 2;
  facts.plans = {plan};
  const auto families = app::metric_families(facts);
  double sum = 0;
  for (const auto& point : family(families, "fettle_recovery_state")->points) {
    sum += point.value;
    if (point.value == 1) CHECK(point.labels.get("state") == "verifying");
  }
  CHECK(sum == 1);
}

TEST_CASE("rule groups are counted under Prometheus' names") {
  const config::AgentConfig config = shop();
  const std::map<std::string, app::ServiceHealth> services;
  app::SnapshotFacts facts = facts_of(config, services);
  rules::GroupStatus group;
  group.name = "g";
  group.file = "/etc/fettle/rules/r.yml";
  group.interval = base::Millis{5000};
  group.iterations = 12;
  group.missed = 2;
  group.evaluations = 21;
  group.failures = 1;
  group.rules.resize(2);
  group.rules[0].series = 3;
  group.rules[1].unmatched_since = base::wall_from_ms(1000);
  facts.groups = {group};
  const auto families = app::metric_families(facts);
  struct Row {
    const char* name;
    double value;
  };
  for (const Row& row :
       {Row{"prometheus_rule_evaluations", 21}, Row{"prometheus_rule_evaluation_failures", 1},
        Row{"prometheus_rule_group_iterations", 12}, Row{"prometheus_rule_group_iterations_missed", 2},
        Row{"prometheus_rule_group_interval_seconds", 5}, Row{"prometheus_rule_group_last_evaluation_samples", 3},
        Row{"prometheus_rule_group_rules", 2}, Row{"fettle_rule_group_unmatched_rules", 1}}) {
    CAPTURE(row.name);
    const auto* found = family(families, row.name);
    REQUIRE(found != nullptr);
    CHECK(found->points[0].labels == Labels{{"rule_group", "/etc/fettle/rules/r.yml;g"}});
    CHECK(found->points[0].value == row.value);
  }
}

TEST_CASE("a page shows the service with its plan and its maintenance") {
  const config::AgentConfig config = shop();
  const std::map<std::string, app::ServiceHealth> services{{"order", {model::Health::up, {}, model::Reason::none, ""}}};
  app::SnapshotFacts facts = facts_of(config, services);
  recover::PlanStatus plan;
  plan.service = "order";
  plan.mode = model::RecoveryMode::enforce;
  plan.state = model::PlanState::blocked;
  plan.reason = recover::GuardName::dependencies;
  facts.plans = {plan};
  facts.maintenance = {{"redis", "alice: upgrade"}};
  const auto pages = app::service_pages(facts);
  REQUIRE(pages.size() == 2);
  CHECK(pages[0].recovery_mode == model::RecoveryMode::enforce);
  CHECK(pages[0].recovery_reason == "dependencies");
  CHECK_FALSE(pages[0].maintenance.has_value());
  CHECK(pages[1].maintenance == "alice: upgrade");
  CHECK(pages[1].health == model::Health::unknown);
}

TEST_CASE("standbys are metrics: who is the primary, how many take writes, what is refused") {
  auto spec = std::make_shared<recover::StandbySpec>();
  spec->service = "order";
  spec->members = {{"a", {"10.0.0.1", 6379}}, {"b", {"10.0.0.2", 6379}}};
  recover::StandbyStatus status{spec, recover::StandbyFacts{*spec, "a"}, {}, 2, 3, {}};
  status.facts.seen.known = true;
  status.facts.seen.right = recover::StandbyRight{"a", true, 7, 0};
  status.facts.seen.record.emplace().primary = "a";
  status.facts.seen.record->must_rejoin = {"b"};
  recover::ServerLook replica;
  replica.answers = replica.closed = replica.link_up = true;
  replica.timeline = 3;
  replica.offset = 900;
  replica.replayed = 850;
  recover::ServerLook primary;
  primary.answers = primary.primary = primary.synchronous = true;
  primary.timeline = 3;
  primary.offset = 1000;
  primary.sync = {"b"};
  status.facts.looks = {{"a", primary}, {"b", replica}};
  status.decision.text = "primary";
  status.decision.judgements = {{recover::StandbyGate::cooldown, false, "9m are left"},
                                {recover::StandbyGate::primary_lease_alive, false, "it is"}};
  const config::AgentConfig config = shop();
  const std::map<std::string, app::ServiceHealth> services{{"order", {}}, {"redis", {}}};
  app::SnapshotFacts facts = facts_of(config, services);
  facts.standbys.push_back(status);
  const auto families = app::metric_families(facts);
  const auto value = [&families](std::string_view name) {
    const auto* found = family(families, name);
    return found == nullptr || found->points.size() != 1 ? -1 : found->points[0].value;
  };
  CHECK(value("fettle_standby_primary") == 1);
  CHECK(value("fettle_standby_servers_taking_writes") == 2);
  CHECK(value("fettle_standby_ready_replicas") == 1);
  CHECK(value("fettle_standby_must_rejoin") == 0);
  CHECK(value("fettle_standby_lag_bytes") == 100);
  CHECK(value("fettle_standby_lag_seconds") == 0);
  CHECK(value("fettle_standby_refused") == 1);
  CHECK(family(families, "fettle_standby_refused")->points[0].labels ==
        Labels{{"service", "order"}, {"reason", "cooldown"}});
  spec->kind = recover::StandbyKind::mariadb;
  const auto of_mariadb = app::metric_families(facts);
  REQUIRE(family(of_mariadb, "fettle_standby_lag_transactions") != nullptr);
  CHECK(family(of_mariadb, "fettle_standby_lag_transactions")->points[0].value == 100);
  CHECK(family(of_mariadb, "fettle_standby_lag_bytes") == nullptr);
  web::Snapshot snapshot;
  app::fill(snapshot, std::move(facts));
  REQUIRE(snapshot.standbys.size() == 1);
  CHECK(snapshot.standbys[0].members[0].text == "timeline 3, synchronous with b");
  CHECK(snapshot.standbys[0].members[1].state == "replica");
  CHECK(snapshot.standbys[0].members[1].text == "timeline 3, 50 bytes to replay");
  CHECK(snapshot.standbys[0].holder == "a");
}

TEST_CASE("of a group's members the first one that is in the fleet shows how the last rollout is") {
  config::AgentConfig config = shop();
  config.global.node = "node1";
  const std::map<std::string, app::ServiceHealth> services{{"order", {}}, {"redis", {}}};
  cluster::FleetGroupView group{"order", true, {}};
  group.group.members = {{{"node1", "order"}}, {{"node2", "order"}}};
  const auto shown = [&](const cluster::FleetGroupView& view) {
    app::SnapshotFacts facts = facts_of(config, services);
    facts.fleet = cluster::FleetView{"etcd", "", true, {}, {view}};
    const auto families = app::metric_families(facts);
    const auto* found = family(families, "fettle_rollout_state");
    return found == nullptr ? Labels{} : found->points.at(0).labels;
  };
  CHECK(shown(group) == Labels{});
  group.group.rollout.emplace().state = cluster::RolloutState::stopped;
  CHECK(shown(group) == Labels{{"group", "order"}, {"state", "stopped"}});
  std::swap(group.group.members[0], group.group.members[1]);
  CHECK(shown(group) == Labels{});
  group.group.members.erase(group.group.members.begin());  // the agent of the first one is away
  CHECK(shown(group) == Labels{{"group", "order"}, {"state", "stopped"}});
}

TEST_CASE("drills and objectives are metrics; what was not proven has no time") {
  config::AgentConfig config = shop();
  config.services[0].second.objectives = {std::chrono::minutes{5}, {}};
  auto spec = std::make_shared<recover::DrillSpec>();
  spec->name = "db";
  spec->service = "order";
  struct Tool final : recover::RestoreTool {
    std::string text() const override { return "restic /srv/r"; }
    std::vector<std::string> list(const recover::Scratch&) const override { return {}; }
    base::Result<encoding::BackupSet> read(const std::string&) const override { return encoding::BackupSet{}; }
    std::vector<std::string> restore(const std::string&, const recover::Scratch&) const override { return {}; }
    std::map<std::string, std::string> environment(const recover::Scratch&) const override { return {}; }
  };
  spec->tool = std::make_unique<Tool>();
  recover::DrillStatus status{spec, {}, "restoring", {}, base::wall_from_ms(60'000)};
  const std::map<std::string, app::ServiceHealth> none;
  app::SnapshotFacts facts = facts_of(config, none);
  facts.drills = {status};
  recover::FaultDrillStatus& fault = facts.fault_drills.emplace_back();
  fault.service = "order";
  fault.doing = "injects hang";
  fault.record.last_success = base::wall_from_ms(70'000);
  fault.record.succeeded = true;
  fault.record.last.stages = {{recover::Stage::detect, base::Millis{2'500}}};
  auto families = app::metric_families(facts);
  const auto value = [&families](std::string_view name) {
    const auto* found = family(families, name);
    return found == nullptr ? -1 : found->points.at(0).value;
  };
  CHECK(value("fettle_restore_due_timestamp_seconds") == 60);
  CHECK(value("fettle_restore_drill_running") == 1);
  CHECK(value("fettle_drill_running") == 1);
  CHECK(value("fettle_drill_success") == 1);
  CHECK(value("fettle_drill_last_success_timestamp_seconds") == 70);
  CHECK(value("fettle_drill_stage_seconds") == 2.5);
  CHECK(family(families, "fettle_drill_stage_seconds")->points[0].labels ==
        Labels{{"service", "order"}, {"fault", "hang"}, {"stage", "detect"}});
  CHECK(value("fettle_restore_verified_timestamp_seconds") == -1);
  CHECK(value("fettle_restore_drill_success") == -1);
  CHECK(value("fettle_service_objective_seconds") == 300);
  CHECK(family(families, "fettle_service_objective_seconds")->points[0].labels ==
        Labels{{"service", "order"}, {"objective", "rpo"}});
  facts.drills[0].record.succeeded = true;
  recover::DrillReport& proven = facts.drills[0].record.proven.emplace();
  proven.ended = base::wall_from_ms(50'000);
  proven.restore = base::Millis{1'500};
  proven.data_age = base::Millis{9'000};
  families = app::metric_families(facts);
  CHECK(value("fettle_restore_verified_timestamp_seconds") == 50);
  CHECK(value("fettle_restore_duration_seconds") == 1.5);
  CHECK(value("fettle_restore_data_age_seconds") == 9);
  CHECK(value("fettle_restore_drill_success") == 1);
  web::Snapshot snapshot;
  app::fill(snapshot, std::move(facts));
  REQUIRE(snapshot.drills.size() == 1);
  CHECK(snapshot.drills[0].backup == "restic /srv/r");
  CHECK(snapshot.drills[0].proof->restore_seconds == 1.5);
  CHECK(snapshot.services[0].rpo == std::chrono::minutes{5});
}
