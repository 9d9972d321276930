#include "app/snapshot_builder.h"

#include <algorithm>
#include <map>

#include "app/drill_view.h"
#include "app/families.h"
#include "app/rule_metrics.h"
#include "app/standby_view.h"
#include "base/secret.h"

namespace app {
namespace {

web::ProbePage probe_page(const probe::Status& status) {
  web::ProbePage page;
  page.name = status.spec->name;
  page.type = status.spec->type->name;
  page.target = base::without_secrets(status.spec->settings->target());
  page.health = status.health;
  page.since = status.since;
  page.interval = status.spec->interval;
  page.consecutive_failures = status.consecutive_failures;
  page.failure_threshold = status.spec->failure_threshold;
  page.history = status.history;
  if (!status.last) return page;
  const model::Outcome& outcome = status.last->outcome;
  page.reason = outcome.reason;
  page.text = outcome.text;
  page.last_run = status.last->started;
  page.took_seconds = base::seconds(outcome.took);
  for (const model::Phase& phase : outcome.phases) page.phases.emplace_back(phase.name, base::seconds(phase.took));
  return page;
}

void add_plan(Families& families, const recover::PlanStatus& plan) {
  const model::Labels labels{{"service", plan.service}};
  for (const model::PlanState state : model::all_plan_states())
    families.add("fettle_recovery_state", "1 for the state that the service's recovery plan is in.",
                 labels.with("state", to_string(state)), plan.state == state ? 1 : 0);
  families.add("fettle_recovery_attempts_left", "Attempts that the budget of the service's recovery plan still has.",
               labels, plan.attempts_left);
}

void add_source(Families& families, const SourceStatus& source) {
  const model::Labels labels{{"service", source.service}, {"source", source.name}};
  families.add("fettle_sd_targets", "Targets of a source that count: of its last good answer.", labels,
               static_cast<double>(source.targets));
  families.add(
      "fettle_sd_last_refresh_successful",
      "1 if what a source of targets says now is what counts, 0 if it cannot be asked or has mistakes, and what "
      "it said before goes on.",
      labels, source.error.empty() ? 1 : 0);
  if (source.refreshed)
    families.add("fettle_sd_last_refresh_success_timestamp_seconds",
                 "When a source of targets last gave a good answer, in seconds since the epoch.", labels,
                 base::seconds(*source.refreshed));
}

}  // namespace

namespace {

// Guards count in monotonic time, pages show a clock.
std::optional<base::WallTime> wall_time_of(const recover::Guard& guard, const SnapshotFacts& facts) {
  if (guard.open || !guard.opens || *guard.opens == base::Instant::max()) return std::nullopt;
  return facts.wall_now + std::chrono::duration_cast<base::Millis>(*guard.opens - facts.now);
}

}  // namespace

void fill(web::Snapshot& snapshot, SnapshotFacts facts) {
  snapshot.at = facts.wall_now;
  snapshot.node = facts.config.global.node;
  snapshot.paused = facts.paused;
  snapshot.services = service_pages(facts);
  snapshot.alerts = std::move(facts.alerts);
  snapshot.silences = std::move(facts.silences);
  snapshot.silenced_by = std::move(facts.silenced_by);
  snapshot.rule_groups = rule_group_pages(std::move(facts.groups));
  snapshot.recoveries = std::move(facts.recoveries);
  snapshot.drills = drill_pages(facts.drills);
  snapshot.fault_drills = fault_drill_pages(facts.fault_drills);
  snapshot.standbys = standby_pages(facts.standbys);
  for (notify::ReceiverStatus& each : facts.receivers)
    snapshot.receivers.push_back(
        {std::move(each.name), std::move(each.type), std::move(each.last_error), each.last_sent});
  if (facts.fleet) snapshot.fleet = fleet_page(*facts.fleet);
}

web::RolloutPage rollout_page(const cluster::Rollout& rollout) {
  web::RolloutPage page{rollout.id,    rollout.action,
                        rollout.by,    std::string(to_string(rollout.state)),
                        rollout.why,   rollout.batch,
                        rollout.round, rollout.started,
                        rollout.since, {}};
  for (const cluster::RolloutPart& part : rollout.parts)
    page.parts.push_back({part.who.node, part.who.service, std::string(to_string(part.state)), part.text, part.since});
  return page;
}

web::FleetPage fleet_page(const cluster::FleetView& view) {
  web::FleetPage page{view.store, view.trouble, view.holds, view.since, {}};
  for (const cluster::FleetGroupView& group : view.groups) {
    web::FleetGroupPage& shown = page.groups.emplace_back();
    shown.name = group.name;
    shown.known = group.known;
    shown.panic = group.panic;
    if (group.group.rollout) shown.rollout = rollout_page(*group.group.rollout);
    if (group.group.pager) shown.pager = cluster::named(group.group.pager->who);
    const auto page_of = [&](const cluster::Identity& who) -> web::FleetMemberPage& {
      for (web::FleetMemberPage& each : shown.members)
        if (each.node == who.node && each.service == who.service) return each;
      web::FleetMemberPage& added = shown.members.emplace_back();  // it has a slot, and says no more how it is
      added.node = who.node;
      added.service = who.service;
      return added;
    };
    for (const cluster::Member& member : group.group.members) {
      web::FleetMemberPage& each = page_of(member.who);
      each.health = member.health;
      each.since = member.since;
      if (member.waits_since != base::WallTime{}) each.waits_since = member.waits_since;
    }
    for (const cluster::Holder& holder : group.group.holders) {
      web::FleetMemberPage& each = page_of(holder.who);
      if (holder.announced) {
        if (!each.waits_since) each.waits_since = holder.since;
        continue;
      }
      each.acts_since = holder.since;
      each.recovery = holder.recovery;
      each.fence = holder.fence;
    }
  }
  return page;
}

// Of a group one agent shows it, so that people are told once: that of the first member that is in the fleet.
void add_rollouts(Families& families, const cluster::FleetView& view, const std::string& node) {
  for (const cluster::FleetGroupView& group : view.groups) {
    const auto& members = group.group.members;
    if (!group.group.rollout || members.empty() || members.front().who.node != node) continue;
    families.add("fettle_rollout_state",
                 "1 for the state of the group's last rollout: running, stopped, aborted, done. Of a group one agent "
                 "shows it: that of its first member in the fleet.",
                 {{"group", group.name}, {"state", std::string(to_string(group.group.rollout->state))}}, 1);
  }
}

std::vector<web::ServicePage> service_pages(const SnapshotFacts& facts) {
  std::map<std::string_view, const recover::PlanStatus*> plans;
  for (const recover::PlanStatus& plan : facts.plans) plans.emplace(plan.service, &plan);
  std::map<std::string_view, std::vector<const probe::Status*>> probes;
  for (const probe::Status& status : facts.probes) probes[status.spec->service].push_back(&status);
  std::vector<web::ServicePage> pages;
  for (const auto& [name, service] : facts.config.services) {
    web::ServicePage& page = pages.emplace_back();
    page.name = name;
    page.labels = service.labels;
    page.unit = service.unit;
    page.depends_on = service.depends_on;
    page.rpo = service.objectives.rpo;
    page.rto = service.objectives.rto;
    page.has_traffic = service.has_traffic;
    if (const auto health = facts.services.find(name); health != facts.services.end()) {
      page.health = health->second.health;
      page.since = health->second.since;
      page.reason = health->second.reason;
      page.text = health->second.text;
    }
    if (const auto found = facts.maintenance.find(name); found != facts.maintenance.end())
      page.maintenance = found->second;
    if (const auto found = plans.find(name); found != plans.end()) {
      const recover::PlanStatus& plan = *found->second;
      page.recovery_mode = plan.mode;
      page.recovery_state = plan.state;
      page.recovery_reason = to_string(plan.reason);
      page.attempts_left = plan.attempts_left;
      page.recovery_next = plan.next;
      page.recovery_steps = plan.steps;
      page.recovery_cure = plan.cure;
      page.recovery_verifies = plan.verifies;
      page.recovery_drains = plan.drains;
      page.recovery_undrains = plan.undrains;
      for (const recover::Guard& guard : plan.guards) {
        page.recovery_guards.push_back(
            {std::string(to_string(guard.name)), guard.open, guard.text, wall_time_of(guard, facts)});
        // The node's is said once, for all.
        if (guard.name == recover::GuardName::paused && !guard.open && facts.paused.empty())
          page.paused = guard.text.starts_with("on: ") ? guard.text.substr(4) : guard.text;
      }
    }
    for (const probe::Status* status : probes[name]) page.probes.push_back(probe_page(*status));
  }
  return pages;
}

std::vector<web::RuleGroupPage> rule_group_pages(std::vector<rules::GroupStatus> groups) {
  std::vector<web::RuleGroupPage> pages;
  for (rules::GroupStatus& group : groups) {
    web::RuleGroupPage& page = pages.emplace_back();
    page.name = std::move(group.name);
    page.file = std::move(group.file);
    page.interval = group.interval;
    page.limit = group.limit;
    page.last_evaluation = group.last_evaluation;
    page.evaluation_seconds = base::seconds(group.took);
    for (rules::RuleStatus& rule : group.rules) {
      web::RulePage& row = page.rules.emplace_back();
      row.name = std::move(rule.name);
      row.query = std::move(rule.query);
      row.type = rule.type;
      row.for_duration = rule.for_duration;
      row.keep_firing_for = rule.keep_firing_for;
      row.labels = rule.labels;
      row.annotations = rule.annotations;
      row.health = rule.health;
      row.last_error = std::move(rule.last_error);
      row.last_evaluation = rule.last_evaluation;
      row.evaluation_seconds = base::seconds(rule.took);
      row.series = rule.series;
      row.unmatched_since = rule.unmatched_since;
      row.alerts = std::move(rule.alerts);
    }
  }
  return pages;
}

std::vector<model::MetricFamily> metric_families(const SnapshotFacts& facts) {
  MetricBlocks blocks;
  return model::families_of(metric_page(facts, blocks));
}

model::MetricPage metric_page(const SnapshotFacts& facts, MetricBlocks& blocks) {
  Families families;
  for (const recover::PlanStatus& plan : facts.plans) add_plan(families, plan);
  if (!facts.plans.empty())
    families.add("fettle_recovery_node_actions_left",
                 "Actions that the recovery plans of this node may still take together within the hour.", {},
                 facts.node_actions_left);
  families.add("fettle_probes_running", "Runs of probes that are going on now.", {},
               static_cast<double>(facts.load.running));
  families.add("fettle_probes_waiting",
               "Runs of probes that are due and wait because as many go on as global.probes_at_once allows.", {},
               static_cast<double>(facts.load.waiting));
  std::map<std::string, std::size_t> waiting;  // by receiver, over its integrations
  for (const notify::ReceiverStatus& each : facts.receivers) waiting[each.name] += each.waiting;
  for (const auto& [receiver, messages] : waiting)
    families.add(
        "fettle_notifications_waiting",
        "Messages that a receiver has not taken yet; of an Alertmanager receiver, alerts at each of its targets.",
        model::Labels{{"receiver", receiver}}, static_cast<double>(messages));
  for (const SourceStatus& source : facts.sources) add_source(families, source);
  for (const recover::TrafficStatus& traffic : facts.traffic)
    for (const recover::TrafficStatus::Place& place : traffic.places)
      families.add("fettle_traffic_place_usable",
                   "1 if the service can be taken out of its load balancer there and put back, 0 if that is known not "
                   "to work.",
                   {{"service", traffic.service}, {"place", place.name}}, place.trouble.empty() ? 1 : 0);
  add_drills(families, facts.drills);
  add_fault_drills(families, facts.fault_drills);
  add_standbys(families, facts.standbys);
  if (facts.fleet) add_rollouts(families, *facts.fleet, facts.config.global.node);
  for (const auto& [name, service] : facts.config.services) add_objectives(families, name, service.objectives);
  add_rule_groups(families, facts.groups);
  std::map<std::string_view, int> states{{"firing", 0}, {"pending", 0}};
  for (const model::Alert& alert : facts.alerts) ++states[model::to_string(alert.state)];
  for (const auto& [state, count] : states)
    families.add("fettle_alerts", "Active alerts of the local rules by state.", model::Labels{{"state", state}}, count);
  std::map<std::string_view, int> silences{{"active", 0}, {"pending", 0}, {"expired", 0}};
  for (const model::Silence& silence : facts.silences) ++silences[model::to_string(silence.state(facts.wall_now))];
  for (const auto& [state, count] : silences)
    families.add("fettle_silences", "Silences by state; those that expired are kept for five days.",
                 model::Labels{{"state", state}}, count);
  families.add("fettle_alerts_silenced", "Firing alerts that a silence keeps from all receivers.", {},
               static_cast<double>(std::count_if(facts.alerts.begin(), facts.alerts.end(), [&](const auto& alert) {
                 return alert.state == model::AlertState::firing && facts.silenced_by.contains(alert.labels);
               })));
  model::MetricPage page{families.take(), blocks.probes(facts.probes)};
  page.blocks.push_back(blocks.services(facts.config.services, facts.services, facts.maintenance));
  return page;
}

}  // namespace app
