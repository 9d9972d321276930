#include "self/self.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "self/names.h"
#include "self/process.h"
#include "self/series.h"

namespace self {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Summary;
using Bounds = std::vector<double>;

// From a tenth of a millisecond to ten seconds: what the agent does is mostly far below a millisecond, and what hurts
// starts at tens of them.
const Bounds kFast{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
// Of a run of a probe: few, because each probe has all of them.
const Bounds kRun{0.01, 0.1, 1, 10};
const Bounds kIncident{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400};
const Bounds kDetection{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

// What Prometheus shows of its rules, with the errors that its client library allows itself.
const Summary::Quantiles kRuleQuantiles{{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}};
const Summary::Quantiles kGroupQuantiles{{0.01, 0.001}, {0.05, 0.005}, {0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}};
constexpr std::chrono::minutes kQuantileWindow{10};

model::Labels labels_of(const std::vector<prometheus::ClientMetric::Label>& labels) {
  std::vector<model::Label> out;
  for (const auto& label : labels) out.push_back({label.name, label.value});
  return model::Labels(std::move(out));
}

model::MetricFamily family_of(const prometheus::MetricFamily& from) {
  model::MetricFamily to{from.name, from.help, model::MetricType::gauge, {}};
  for (const prometheus::ClientMetric& metric : from.metric) {
    const model::Labels labels = labels_of(metric.label);
    if (from.type == prometheus::MetricType::Counter) {
      to.type = model::MetricType::counter;
      if (to.name.ends_with("_total")) to.name.resize(to.name.size() - std::string_view("_total").size());
      to.points.push_back({"_total", labels, metric.counter.value});
    } else if (from.type == prometheus::MetricType::Histogram) {
      to.type = model::MetricType::histogram;
      for (const auto& bucket : metric.histogram.bucket)
        to.points.push_back(
            {"_bucket", labels.with("le", number(bucket.upper_bound)), static_cast<double>(bucket.cumulative_count)});
      to.points.push_back({"_sum", labels, metric.histogram.sample_sum});
      to.points.push_back({"_count", labels, static_cast<double>(metric.histogram.sample_count)});
    } else if (from.type == prometheus::MetricType::Summary) {
      to.type = model::MetricType::summary;
      for (const auto& each : metric.summary.quantile)
        to.points.push_back({"", labels.with("quantile", number(each.quantile)), each.value});
      to.points.push_back({"_sum", labels, metric.summary.sample_sum});
      to.points.push_back({"_count", labels, static_cast<double>(metric.summary.sample_count)});
    } else {
      to.points.push_back({"", labels, metric.gauge.value});
    }
  }
  return to;
}

void increment(Counter& counter) { counter.Increment(); }
void show(Counter&) {}
// A counter that somebody else counts.
auto catch_up(std::uint64_t total) {
  return [total](Counter& c) { c.Increment(std::max(0.0, static_cast<double>(total) - c.Value())); };
}

}  // namespace

struct Self::Rep {
  prometheus::Registry registry;  // of what has no labels
  std::vector<const AnySeries*> with_labels;
  std::vector<std::string> names;

  void add_names(const Metric& metric, std::initializer_list<const char*> suffixes) {
    for (const char* suffix : suffixes) names.push_back(std::string(metric.name) + suffix);
  }
  template <typename T>
  prometheus::Family<T>& family(const Metric& metric) {
    using Builder = std::conditional_t<
        std::is_same_v<T, Counter>, decltype(prometheus::BuildCounter()),
        std::conditional_t<std::is_same_v<T, Gauge>, decltype(prometheus::BuildGauge()),
                           std::conditional_t<std::is_same_v<T, Summary>, decltype(prometheus::BuildSummary()),
                                              decltype(prometheus::BuildHistogram())>>>;
    if (std::is_same_v<T, Histogram>) add_names(metric, {"_bucket", "_sum", "_count"});
    else if (std::is_same_v<T, Summary>) add_names(metric, {"", "_sum", "_count"});
    else add_names(metric, {""});
    return Builder{}.Name(metric.name).Help(metric.help).Register(registry);
  }
  template <typename T>
  Series<T> series(const Metric& metric) {
    if (std::is_same_v<T, Buckets>) add_names(metric, {"_bucket", "_sum", "_count"});
    else add_names(metric, {""});
    return Series<T>(metric, with_labels);
  }

  Series<Counter> probe_runs = series<Counter>(kProbeRuns);
  Series<Buckets> run_duration = series<Buckets>(kRunDuration);
  Series<Counter> probe_failures = series<Counter>(kProbeFailures);
  Series<Counter> probe_overruns = series<Counter>(kProbeOverruns);
  Series<Counter> probe_samples_left_out = series<Counter>(kProbeSamplesLeftOut);
  Series<Buckets> detection_latency = series<Buckets>(kDetectionLatency);
  Series<Counter> recovery_actions = series<Counter>(kRecoveryActions);
  Series<Counter> recovery_blocked = series<Counter>(kRecoveryBlocked);
  Series<Counter> rollout_events = series<Counter>(kRolloutEvents);
  Series<Counter> incidents = series<Counter>(kIncidents);
  Series<Counter> objectives_missed = series<Counter>(kObjectivesMissed);
  Histogram& incident_duration = family<Histogram>(kIncidentDuration).Add({}, kIncident);
  Series<Counter> notifications = series<Counter>(kNotifications);
  Series<Counter> notification_requests = series<Counter>(kNotificationRequests);
  Series<Counter> notifications_dropped = series<Counter>(kNotificationsDropped);
  Series<Buckets> rule_duration = series<Buckets>(kRuleDuration);
  Series<Counter> rule_failures = series<Counter>(kRuleFailures);
  Series<Counter> store_refused = series<Counter>(kStoreRefused);
  Series<Gauge> build_info = series<Gauge>(kBuildInfo);

  Histogram& scheduler_lag = family<Histogram>(kSchedulerLag).Add({}, kFast);
  Summary& rule_quantiles = family<Summary>(kPrometheusRuleDuration).Add({}, kRuleQuantiles, kQuantileWindow);
  Summary& group_quantiles = family<Summary>(kPrometheusGroupDuration).Add({}, kGroupQuantiles, kQuantileWindow);
  Histogram& loop_turn = family<Histogram>(kLoopTurn).Add({}, kFast);
  Histogram& state_commit = family<Histogram>(kStateCommit).Add({}, kFast);
  Counter& connections_left = family<Counter>(kLeftInTimeWait).Add({});
  Gauge& loop_stall = family<Gauge>(kLoopStall).Add({});
  Gauge& reload_ok = family<Gauge>(kReloadOk).Add({});
  Gauge& state_durable = family<Gauge>(kStateDurable).Add({});
  Gauge& state_damaged = family<Gauge>(kStateDamaged).Add({});
  Counter& log_left_out = family<Counter>(kLogLinesLeftOut).Add({});
  Gauge& reload_time = family<Gauge>(kReloadTime).Add({});
  Gauge& store_series = family<Gauge>(kStoreSeries).Add({});
  Gauge& store_max_series = family<Gauge>(kStoreMaxSeries).Add({});
  Counter& store_evicted = family<Counter>(kStoreEvicted).Add({});
  Counter& store_lost = family<Counter>(kStoreLost).Add({});
  Gauge& store_samples = family<Gauge>(kStoreSamples).Add({});
  Gauge& store_bytes = family<Gauge>(kStoreBytes).Add({});

  std::atomic<base::Duration::rep> longest_turn{0};
};

namespace {
LabelValues values(std::initializer_list<std::string_view> list) { return {list.begin(), list.end()}; }
}  // namespace

Self::Self(std::string_view version, std::string_view revision) : rep_(std::make_unique<Rep>()) {
  rep_->build_info.with(values({version, revision}), [](Gauge& g) { g.Set(1); });
  // Where no event source sees a failure, it is a run of the probe.
  rep_->detection_latency.with(
      values({"probe"}), [](Buckets&) {}, kDetection);
}

Self::~Self() = default;

void Self::probe_added(std::string_view service, std::string_view probe) {
  rep_->probe_runs.with(values({service, probe}), show);
  rep_->probe_overruns.with(values({service, probe}), show);
  rep_->probe_samples_left_out.with(values({service, probe}), show);
}

void Self::failures_added(std::string_view service, std::string_view probe, model::Reason reason) {
  rep_->probe_failures.with(values({service, probe, model::to_string(reason)}), show);
}

void Self::probe_finished(std::string_view service, std::string_view probe, model::Reason reason) {
  rep_->probe_runs.with(values({service, probe}), increment);
  if (reason != model::Reason::none)
    rep_->probe_failures.with(values({service, probe, model::to_string(reason)}), increment);
}

void Self::probe_took(std::string_view service, std::string_view probe, base::Duration took) {
  rep_->run_duration.with(
      values({service, probe}), [&](Buckets& b) { b.observe(took); }, kRun);
}

void Self::probe_overrun(std::string_view service, std::string_view probe) {
  rep_->probe_overruns.with(values({service, probe}), increment);
}

void Self::probe_samples_left_out(std::string_view service, std::string_view probe, std::size_t count) {
  rep_->probe_samples_left_out.with(values({service, probe}),
                                    [&](Counter& c) { c.Increment(static_cast<double>(count)); });
}

void Self::probe_lag(base::Duration late) { rep_->scheduler_lag.Observe(base::seconds(late)); }

void Self::detected(std::string_view source, base::Duration latency) {
  rep_->detection_latency.with(
      values({source}), [&](Buckets& b) { b.observe(latency); }, kDetection);
}

void Self::recovery_action(std::string_view service, std::string_view action, model::ActionStatus result,
                           model::RecoveryMode mode) {
  rep_->recovery_actions.with(values({service, action, to_string(result), to_string(mode)}), increment);
}

void Self::recovery_added(std::string_view service, std::string_view action, model::RecoveryMode mode) {
  using model::ActionStatus;
  const auto show_result = [&](ActionStatus result) {
    rep_->recovery_actions.with(values({service, action, to_string(result), to_string(mode)}), show);
  };
  if (mode == model::RecoveryMode::dry_run) return show_result(ActionStatus::would_run);
  for (const ActionStatus result :
       {ActionStatus::ok, ActionStatus::failed, ActionStatus::timeout, ActionStatus::refused})
    show_result(result);
}

void Self::recovery_blocked(std::string_view service, std::string_view guard) {
  rep_->recovery_blocked.with(values({service, guard}), increment);
}

void Self::rollouts_added(std::string_view group, std::string_view event) {
  rep_->rollout_events.with(values({group, event}), show);
}

void Self::rollout_event(std::string_view group, std::string_view event) {
  rep_->rollout_events.with(values({group, event}), increment);
}

void Self::incidents_added(std::string_view service) {
  for (const std::string_view end : {"healed", "itself", "person"}) rep_->incidents.with(values({service, end}), show);
}

void Self::incident_ended(std::string_view service, std::string_view end, base::Duration lasted) {
  rep_->incidents.with(values({service, end}), increment);
  rep_->incident_duration.Observe(base::seconds(lasted));
}

void Self::objective_added(std::string_view service, std::string_view objective) {
  rep_->objectives_missed.with(values({service, objective}), show);
}

void Self::objective_missed(std::string_view service, std::string_view objective) {
  rep_->objectives_missed.with(values({service, objective}), increment);
}

void Self::notifications_added(std::string_view receiver, std::string_view target, std::string_view result) {
  if (target.empty()) rep_->notifications.with(values({receiver, result}), show);
  else rep_->notification_requests.with(values({receiver, target, result}), show);
}

void Self::drops_added(std::string_view receiver, std::string_view reason) {
  rep_->notifications_dropped.with(values({receiver, reason}), show);
}

void Self::notified(std::string_view receiver, std::string_view target, std::string_view result) {
  rep_->notifications.with(values({receiver, result}), increment);
  if (!target.empty() && result != "parked")
    rep_->notification_requests.with(values({receiver, target, result}), increment);
}

void Self::notifications_dropped(std::string_view receiver, std::string_view reason, std::size_t messages) {
  rep_->notifications_dropped.with(values({receiver, reason}),
                                   [&](Counter& c) { c.Increment(static_cast<double>(messages)); });
}

void Self::rule_evaluated(std::string_view group, base::Duration took, bool ok) {
  rep_->rule_duration.with(
      values({group}), [&](Buckets& b) { b.observe(took); }, kFast);
  rep_->rule_quantiles.Observe(base::seconds(took));
  rep_->rule_failures.with(values({group}), [&](Counter& c) { c.Increment(ok ? 0 : 1); });
}

void Self::rule_group_evaluated(base::Duration took) { rep_->group_quantiles.Observe(base::seconds(took)); }

void Self::loop_turn(base::Duration took) {
  rep_->loop_turn.Observe(base::seconds(took));
  auto longest = rep_->longest_turn.load(std::memory_order_relaxed);
  while (took.count() > longest &&
         !rep_->longest_turn.compare_exchange_weak(longest, took.count(), std::memory_order_relaxed)) {
  }
}

void Self::published() {
  rep_->loop_stall.Set(base::seconds(base::Duration(rep_->longest_turn.exchange(0, std::memory_order_relaxed))));
}

void Self::connections_left(std::uint64_t more) { rep_->connections_left.Increment(static_cast<double>(more)); }

void Self::config_loaded(base::WallTime at) {
  rep_->reload_ok.Set(1);
  rep_->reload_time.Set(base::seconds(at));
}

void Self::config_refused() { rep_->reload_ok.Set(0); }

void Self::store_counts(const StoreCounts& now) {
  rep_->store_series.Set(static_cast<double>(now.series));
  rep_->store_samples.Set(static_cast<double>(now.samples));
  rep_->store_bytes.Set(static_cast<double>(now.bytes));
  rep_->store_refused.with(values({"out_of_order"}), catch_up(now.refused_old));
  rep_->store_refused.with(values({"limit"}), catch_up(now.refused_limit));
  rep_->store_max_series.Set(static_cast<double>(now.max_series));
  catch_up(now.evicted)(rep_->store_evicted);
  catch_up(now.lost)(rep_->store_lost);
}

void Self::state_durable(bool is_so) { rep_->state_durable.Set(is_so ? 1 : 0); }
void Self::log_lines_left_out(std::uint64_t lines) { catch_up(lines)(rep_->log_left_out); }
void Self::state_damaged(std::size_t files) { rep_->state_damaged.Set(static_cast<double>(files)); }

void Self::state_committed(base::Duration took) { rep_->state_commit.Observe(base::seconds(took)); }

void Self::forget_service(std::string_view service) {
  for (Series<Counter>* each :
       {&rep_->probe_runs, &rep_->probe_failures, &rep_->probe_overruns, &rep_->probe_samples_left_out,
        &rep_->recovery_actions, &rep_->recovery_blocked, &rep_->incidents, &rep_->objectives_missed})
    each->forget(values({service}));
  rep_->run_duration.forget(values({service}));
}

void Self::forget_probe(std::string_view service, std::string_view probe) {
  for (Series<Counter>* each :
       {&rep_->probe_runs, &rep_->probe_failures, &rep_->probe_overruns, &rep_->probe_samples_left_out})
    each->forget(values({service, probe}));
  rep_->run_duration.forget(values({service, probe}));
}

void Self::forget_receiver(std::string_view receiver) {
  for (Series<Counter>* each : {&rep_->notifications, &rep_->notification_requests, &rep_->notifications_dropped})
    each->forget(values({receiver}));
}

void Self::forget_group(std::string_view group) {
  rep_->rule_duration.forget(values({group}));
  rep_->rule_failures.forget(values({group}));
}

void Self::forget_rollouts(std::string_view group) { rep_->rollout_events.forget(values({group})); }

std::vector<std::string> Self::series_names() const {
  std::vector<std::string> out = rep_->names;
  for (const model::MetricFamily& family : process_metrics())
    for (const model::MetricPoint& point : family.points) out.push_back(family.name + std::string(point.suffix));
  return out;
}

model::MetricPage Self::collect() const {
  model::MetricPage out;
  for (const prometheus::MetricFamily& family : rep_->registry.Collect())
    if (!family.metric.empty()) out.families.push_back(family_of(family));
  for (model::MetricFamily& family : process_metrics()) out.families.push_back(std::move(family));
  for (const AnySeries* each : rep_->with_labels) each->collect(out.blocks);
  return out;
}

}  // namespace self
