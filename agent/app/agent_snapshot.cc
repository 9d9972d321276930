// What the pages and the agent's own metrics show. A snapshot is made when a page or a stream asks for it.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "app/agent.h"
#include "base/version.h"

namespace app {
namespace {

using namespace std::chrono_literals;

// Pages and event streams see at most ten snapshots a second, and drawing them takes at most a tenth of the loop's
// time.
constexpr auto kPublishEvery = 100ms;
constexpr auto kDrawingShare = 10;
// Alerts are matched as receivers see them: with the external labels.
void add_silences(SnapshotFacts& facts, const notify::Silences& silences) {
  facts.silences = silences.list();
  const model::Labels& external = facts.config.global.external_labels;
  for (const model::Alert& alert : facts.alerts)
    if (auto ids = silences.of(external.merged(alert.labels)); !ids.empty())
      facts.silenced_by.emplace(alert.labels, std::move(ids));
}

}  // namespace

void Agent::scrape_self(base::Millis every) {
  rules_->follow_clock();
  model::MetricPage page = metric_page(facts(), blocks_);
  model::MetricPage own = self_.collect();
  std::move(own.families.begin(), own.families.end(), std::back_inserter(page.families));
  std::move(own.blocks.begin(), own.blocks.end(), std::back_inserter(page.blocks));
  samples_.begin_page(std::move(page), loop_.wall_now(), every);
  turns_.add([this] { return samples_.append_page_part(); });
}

// The last snapshot is not true any more. Nothing is drawn yet: pages and streams ask when they want to look.
void Agent::changed() {
  metrics_slot_.outdate();
  if (dirty_) return;
  dirty_ = true;
  slot_.outdate();
  if (!server_) return;
  if (good_until_ <= loop_.now()) return server_->snapshot_changed();
  publish_timer_ = loop_.at(good_until_, [this] { server_->snapshot_changed(); });
}

void Agent::publish() {
  const base::Instant began = loop_.now();
  auto next = std::make_shared<web::Snapshot>();
  fill(*next, facts());
  next->number = ++published_;
  next->version = base::version();
  next->retention = first_config_.storage.retention;
  next->started = started_;
  next->ready = ready_;
  next->config = config_page_;
  next->state_trouble = state_trouble_;
  next->damaged_state_files = state_->damage().files;
  next->store_troubles = store_watch_.troubles();
  for (const recover::TrafficStatus& traffic : traffic_controller_->statuses())
    for (const recover::TrafficStatus::Place& place : traffic.places)
      if (!place.trouble.empty())
        next->traffic_troubles.push_back(fmt::format("{}: {}: {}", traffic.service, place.name, place.trouble));
  next->incidents = incidents_->newest_first();
  next->evidence = evidence_->all();
  next->availability = availability_->services();
  next->heartbeat_token_file = config_.heartbeat_token_file;
  for (const SourceStatus& each : discoveries_.statuses())
    if (!each.error.empty())
      next->config.broken_sources.push_back(
          {config::first_lines(each.error, config::Errors::kShown), each.failing_since});
  const base::Instant drawn = loop_.now();
  good_until_ = drawn + std::max<base::Duration>(kPublishEvery, (drawn - began) * kDrawingShare);
  slot_.store(std::move(next), good_until_);
  metrics_slot_.expire();  // no client sees a page of metrics that is behind this snapshot
  dirty_ = false;
}

// Not a part of the snapshot: who scrapes thousands of probes needs nothing of their pages.
void Agent::publish_metrics() {
  const base::Instant began = loop_.now();
  auto next = std::make_shared<const model::MetricPage>(metric_page(facts(), blocks_));
  const base::Instant drawn = loop_.now();
  metrics_slot_.store(std::move(next),
                      drawn + std::max<base::Duration>(kPublishEvery, (drawn - began) * kDrawingShare));
}

SnapshotFacts Agent::facts() const {
  SnapshotFacts facts{config_,
                      health_table_.all(),
                      schedule_->statuses(),
                      dispatcher_->statuses(),
                      dispatcher_->reports(),
                      rules_->groups(),
                      rules_->active_alerts(),
                      {}};
  facts.node_actions_left = dispatcher_->node_actions_left();
  facts.paused = dispatcher_->paused("").value_or("");
  facts.load = schedule_->load();
  facts.sources = discoveries_.statuses();
  facts.traffic = traffic_controller_->statuses();
  facts.now = loop_.now();
  facts.wall_now = loop_.wall_now();
  add_silences(facts, *silences_);
  facts.receivers = notifications_->statuses();
  facts.drills = drills_->statuses();
  facts.fault_drills = fault_drills_->statuses();
  facts.standbys = standbys_->statuses();
  if (fleet_.fleet() != nullptr) facts.fleet = fleet_.fleet()->view();
  for (const auto& [name, service] : config_.services)
    if (auto comment = dispatcher_->maintenance(name)) facts.maintenance.emplace(name, *comment);
  return facts;
}

}  // namespace app
