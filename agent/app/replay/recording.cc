#include "app/replay/recording.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace app {
namespace {

// A health is stamped when the agent knew of the run that ended, and at most 2 ms early, to be evenly apart.
constexpr std::int64_t kEarly = 2, kSameTime = 5;

bool is_of_probe(const model::Labels& labels) {
  return labels.metric_name().starts_with("probe_") && !labels.get("service").empty() && !labels.get("probe").empty();
}

std::pair<std::string, std::string> probe_of(const model::Labels& labels) {
  return {std::string(labels.get("service")), std::string(labels.get("probe"))};
}

const model::Sample* at(const std::vector<model::Sample>& samples, std::int64_t t) {
  const auto found = std::lower_bound(samples.begin(), samples.end(), t,
                                      [](const model::Sample& sample, std::int64_t time) { return sample.t < time; });
  return found != samples.end() && found->t == t ? &*found : nullptr;
}

bool is_start_time(std::string_view name) {
  return name == "probe_process_start_time_seconds" || name == "probe_systemd_unit_start_time_seconds" ||
         name == "probe_container_start_time_seconds";
}

// Of an alert the samples come with each evaluation: two that are further apart are two alerts.
std::int64_t spacing_of(const std::vector<model::Sample>& samples) {
  std::int64_t out = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 1; i < samples.size(); ++i)
    if (samples[i].t > samples[i - 1].t) out = std::min(out, samples[i].t - samples[i - 1].t);
  return out == std::numeric_limits<std::int64_t>::max() ? 60'000 : std::max<std::int64_t>(out, 1'000);
}

}  // namespace

Recording::Recording(std::vector<promql::MemoryQueryable::Entry> series, const std::vector<std::string>& order)
    : series_(std::move(series)) {
  for (const auto& entry : series_) {
    const std::string_view name = entry.labels.metric_name();
    if (name == "probe_duration_seconds" && is_of_probe(entry.labels)) took_[probe_of(entry.labels)] = &entry.samples;
    if (name == "fettle_service_up") service_up_[std::string(entry.labels.get("service"))] = &entry.samples;
  }
  match();
  add_samples();
  add_runs();
  add_healths();
  add_alerts();
  sort(order);
}

// Samples before the runs of the same time: rules that a run makes look see them.
void Recording::sort(const std::vector<std::string>& order) {
  const auto key = [&](const RecordedEvent& event) {
    const auto* run = std::get_if<RecordedRun>(&event.what);
    if (run == nullptr) return std::tuple(event.at, event.what.index(), std::int64_t{0}, std::ptrdiff_t{0});
    const auto place = std::find(order.begin(), order.end(), run->service) - order.begin();
    return std::tuple(event.at, event.what.index(), base::to_ms(run->started), place);
  };
  std::stable_sort(events_.begin(), events_.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

// Each run of a service led to one fettle_service_up, in the same order: what the run says is known at that time.
void Recording::match() {
  struct Ended {
    std::int64_t at, started;
    ProbeName probe;
  };
  std::map<std::string, std::vector<Ended>> by_service;
  for (const auto& entry : series_) {
    if (entry.labels.metric_name() != "probe_success" || !is_of_probe(entry.labels)) continue;
    const ProbeName probe = probe_of(entry.labels);
    for (const model::Sample& sample : entry.samples)
      by_service[probe.first].push_back({sample.t + took(probe, sample.t).count(), sample.t, probe});
  }
  for (auto& [service, runs] : by_service) {
    std::sort(runs.begin(), runs.end(), [](const Ended& a, const Ended& b) {
      return std::tie(a.at, a.started, a.probe) < std::tie(b.at, b.started, b.probe);
    });
    const auto healths = service_up_.find(service);
    std::size_t next = 0;
    for (const Ended& run : runs) {
      std::int64_t& known = known_[run.probe][run.started];
      known = run.at;
      if (healths == service_up_.end()) continue;
      const Samples& samples = *healths->second;
      while (next < samples.size() && samples[next].t < run.at - kEarly) ++next;
      if (next < samples.size() && samples[next].t <= run.at + kSameTime) known = samples[next++].t;
    }
  }
}

base::Millis Recording::took(const ProbeName& probe, std::int64_t started) const {
  const auto all = took_.find(probe);
  const model::Sample* length = all == took_.end() ? nullptr : at(*all->second, started);
  return base::Millis{length == nullptr ? 0 : static_cast<std::int64_t>(std::clamp(length->v, 0.0, 3'600.0) * 1e3)};
}

std::int64_t Recording::known(const ProbeName& probe, std::int64_t started) const {
  const auto runs = known_.find(probe);
  if (runs == known_.end()) return started;
  const auto run = runs->second.find(started);
  return run == runs->second.end() ? started : run->second;
}

void Recording::add_samples() {
  for (const auto& entry : series_) {
    const bool of_probe = is_of_probe(entry.labels);
    const ProbeName probe = of_probe ? probe_of(entry.labels) : ProbeName();
    for (const model::Sample& sample : entry.samples)
      events_.push_back({of_probe ? known(probe, sample.t) : sample.t, RecordedSample{&entry.labels, sample}});
  }
}

void Recording::add_runs() {
  for (const auto& entry : series_) {
    if (entry.labels.metric_name() != "probe_success" || !is_of_probe(entry.labels)) continue;
    const ProbeName probe = probe_of(entry.labels);
    std::vector<const promql::MemoryQueryable::Entry*> starts;
    for (const auto& other : series_)
      if (is_start_time(other.labels.metric_name()) && probe_of(other.labels) == probe) starts.push_back(&other);
    for (const model::Sample& sample : entry.samples) {
      if (model::is_stale(sample.v)) continue;
      RecordedRun run{probe.first, probe.second, base::wall_from_ms(sample.t), {}};
      run.outcome.up = sample.v > 0;
      run.outcome.reason = run.outcome.up ? model::Reason::none : model::Reason::read_timeout;
      run.outcome.took = took(probe, sample.t);
      for (const auto* start : starts)
        if (const model::Sample* value = at(start->samples, sample.t))
          run.outcome.measurements.push_back({std::string(start->labels.metric_name()), value->v, {}});
      const std::int64_t t = known(probe, sample.t);
      events_.push_back({t, RecordedResult{run.service, run.probe, run.outcome.up}});
      events_.push_back({t, std::move(run)});
    }
  }
}

void Recording::add_healths() {
  for (const auto& [name, samples] : service_up_) {
    const std::string& service = name;
    const auto probed = std::any_of(series_.begin(), series_.end(), [&](const auto& entry) {
      return entry.labels.metric_name() == "probe_success" && entry.labels.get("service") == service;
    });
    for (const model::Sample& sample : *samples)
      if (!model::is_stale(sample.v)) events_.push_back({sample.t, RecordedHealth{service, sample.v > 0, !probed}});
  }
}

void Recording::add_alerts() {
  std::int64_t newest = 0;
  for (const auto& entry : series_)
    if (!entry.samples.empty()) newest = std::max(newest, entry.samples.back().t);
  for (const auto& entry : series_) {
    if (entry.labels.metric_name() != "ALERTS" || entry.labels.get("alertstate") != "firing") continue;
    const std::int64_t spacing = spacing_of(entry.samples);
    model::AlertTransition change;
    change.alert.labels = entry.labels.without(model::kMetricName).without("alertstate");
    const auto resolve = [&](std::int64_t t) {
      change.from = model::AlertState::firing;
      change.alert.state = model::AlertState::inactive;
      change.at = base::wall_from_ms(t);
      change.alert.resolved_at = change.at;
      events_.push_back({t, change});
    };
    std::optional<std::int64_t> last;
    for (const model::Sample& sample : entry.samples) {
      const bool over = model::is_stale(sample.v) || (last && sample.t - *last > 3 * spacing);
      if (over && last) resolve(model::is_stale(sample.v) ? sample.t : *last + spacing), last.reset();
      if (model::is_stale(sample.v)) continue;
      if (!last) {
        change.from = model::AlertState::inactive;
        change.alert.state = model::AlertState::firing;
        change.at = change.alert.active_at = base::wall_from_ms(sample.t);
        change.alert.fired_at = change.at;
        change.alert.resolved_at.reset();
        events_.push_back({sample.t, change});
      }
      last = sample.t;
    }
    if (last && newest - *last > 3 * spacing) resolve(*last + spacing);  // else it may fire on behind the end
  }
}

std::vector<model::Labels> Recording::of_service(const std::string& service) const {
  std::vector<model::Labels> out;
  for (const auto& entry : series_)
    if (entry.labels.get("service") == service &&
        (is_of_probe(entry.labels) || entry.labels.metric_name() == "fettle_service_up"))
      out.push_back(entry.labels);
  return out;
}

std::optional<std::int64_t> Recording::agent_started() const {
  for (const auto& entry : series_)
    if (entry.labels.metric_name() == "process_start_time_seconds" && entry.labels.get("job") == "fettle" &&
        !entry.samples.empty())
      return std::llround(entry.samples.front().v * 1e3);
  return std::nullopt;
}

}  // namespace app
