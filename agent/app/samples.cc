#include "app/samples.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

namespace app {
namespace {

const model::Labels kNoLabels;

// What append_run and append_service write themselves, at the time of the run: probe_…, what the prometheus type
// scraped, and the services' health.
bool written_by_runs(std::string_view family, const model::Labels& labels) {
  if (family.starts_with("fettle_")) return family == "fettle_service_up";
  if (family == "probe_run_duration_seconds") return false;  // of the agent's counters
  return family.starts_with("probe_") || labels.has("probe");
}

}  // namespace

model::Labels target_labels(const config::Global& global) {
  return {{"job", global.job}, {"instance", global.instance}};
}

model::Labels with_own_renamed(const model::Labels& ours, const model::Labels& own) {
  const auto is_ours = [&](std::string_view name) {
    // A page has no job and no instance of its own, but who scrapes it takes those that stand there (honor_labels).
    return ours.has(name) || name == model::kMetricName || (!ours.empty() && (name == "job" || name == "instance"));
  };
  if (std::none_of(own.begin(), own.end(), [&](const model::Label& label) { return is_ours(label.name); }))
    return ours.merged(own);
  std::vector<std::string> names;  // outlives `all`, which points into it
  names.reserve(own.size());
  std::vector<model::Label> all(ours.begin(), ours.end());
  for (const model::Label label : own) {
    if (label.name == model::kMetricName) continue;
    std::string name(label.name);
    while (is_ours(name) || (name != label.name && own.has(name))) name.insert(0, "exported_");
    all.push_back({names.emplace_back(std::move(name)), label.value});
  }
  return model::Labels(std::move(all));
}

model::Labels probe_labels(const probe::Spec& spec) {
  return spec.labels.merged(model::Labels{{"service", spec.service}, {"probe", spec.name}});
}

std::int64_t aligned(std::int64_t last, base::Millis every, std::int64_t at) {
  const std::int64_t late = at - last - every.count();
  return late >= 0 && late <= 2 && late * 100 <= every.count() ? at - late : at;
}

template <typename CommonLabels>
void Samples::append_all(std::vector<Entry>& known, CommonLabels common, const std::vector<Value>& values,
                         std::int64_t at) {
  std::vector<Entry> next;
  next.reserve(values.size());
  std::size_t guess = 0;  // runs name the same series in the same order, nearly always
  for (const Value& value : values) {
    const auto is_it = [&](const Entry& entry) { return entry.name == value.name && entry.own == *value.own; };
    std::size_t i = guess;
    if (i >= known.size() || !is_it(known[i])) {
      i = 0;
      while (i < known.size() && !is_it(known[i])) ++i;
    }
    if (i < known.size()) {
      next.push_back(std::move(known[i]));
      guess = i + 1;
    } else {
      const model::Labels labels =
          with_own_renamed(target_.merged(common()), *value.own).with(model::kMetricName, value.name);
      next.push_back({std::string(value.name), *value.own, labels, value.writer});
    }
    append(next.back(), {at, value.value});
  }
  end(known, at);  // what was moved from is empty and ends nothing
  known = std::move(next);
}

void Samples::append(Entry& entry, model::Sample sample) {
  if (entry.generation != store_.generation()) {
    const base::Result<store::SeriesId> id = store_.series(entry.stamped, entry.writer);
    if (!id) return;
    entry.id = *id;
    entry.generation = store_.generation();
  }
  (void)store_.append(entry.id, sample);
}

void Samples::append_run(const probe::Run& run) {
  const model::Outcome& outcome = run.outcome;
  std::vector<Value> values;
  values.reserve(outcome.measurements.size() + 2);
  values.push_back({"probe_success", &kNoLabels, outcome.up ? 1.0 : 0.0});
  ProbeSeries& series = probes_[{run.spec->service, run.spec->name}];
  if (series.entries.empty()) series.common = probe_labels(*run.spec);
  if (series.writer == store::kAgent) series.writer = store_.add_writer(run.spec->service + "/" + run.spec->name);
  series.last = aligned(series.last, run.spec->interval, base::to_ms(run.started));
  values.push_back({"probe_duration_seconds", &kNoLabels, model::duration_value(outcome.took), series.writer});
  for (const model::Measurement& m : outcome.measurements)
    values.push_back({m.name, &m.labels, m.value, series.writer});
  append_all(
      series.entries, [&] { return series.common; }, values, series.last);
}

void Samples::append_service(const std::string& service, model::Health health, base::WallTime at) {
  std::vector<Value> values;
  if (health != model::Health::unknown)
    values.push_back({"fettle_service_up", &kNoLabels, health == model::Health::up ? 1.0 : 0.0});
  append_all(
      services_[service],
      [&] {
        return model::Labels{{"service", service}};
      },
      values, base::to_ms(at));
}

void Samples::append_page(const model::MetricPage& page, base::WallTime at, base::Millis every) {
  std::deque<std::string> names;  // outlive `values`, which point into them
  std::vector<Value> values;
  const auto add = [&](const std::string& family, std::string_view suffix, const model::Labels& labels, double value) {
    if (written_by_runs(family, labels)) return;
    // What is told of each probe is as much as what the probes measure, and has room where they have.
    const store::Writer writer = labels.has("probe") ? page_writer_ : store::kAgent;
    const std::string_view name = suffix.empty() ? family : names.emplace_back(family + std::string(suffix));
    values.push_back({name, &labels, value, writer});
  };
  for (const model::MetricFamily& family : page.families)
    for (const model::MetricPoint& point : family.points) add(family.name, point.suffix, point.labels, point.value);
  for (const auto& block : page.blocks)
    for (std::size_t i = 0; i < block->own; ++i) {
      const model::MetricSeries& series = (*block->series)[i];
      if (!model::is_stale(block->values[i])) add(series.family->name, series.suffix, series.labels, block->values[i]);
    }
  page_last_ = aligned(page_last_, every, base::to_ms(at));
  append_all(
      page_, [] { return kNoLabels; }, values, page_last_);
}

bool Samples::append_rule(const model::Labels& labels, model::Sample sample) {
  return store_.append(labels, sample).has_value();
}

void Samples::retarget(model::Labels target, base::WallTime at) {
  if (target == target_) return;
  target_ = std::move(target);
  const std::int64_t t = base::to_ms(at);
  for (auto& [key, probe] : probes_) end(std::exchange(probe.entries, {}), t);
  for (auto& [service, entries] : services_) end(std::exchange(entries, {}), t);
  end(std::exchange(page_, {}), t);
}

void Samples::keep_only(const probe::Statuses& statuses, base::WallTime at) {
  std::map<std::pair<std::string, std::string>, model::Labels> probes;
  std::set<std::string> services;
  for (const probe::Status& status : statuses) {
    probes.emplace(std::pair(status.spec->service, status.spec->name), probe_labels(*status.spec));
    services.insert(status.spec->service);
  }
  std::erase_if(probes_, [&](const auto& known) {
    const auto kept = probes.find(known.first);
    if (kept != probes.end() && kept->second == known.second.common) return false;
    end(known.second.entries, base::to_ms(at));
    store_.remove_writer(known.second.writer);
    return true;
  });
  std::erase_if(services_, [&](const auto& known) {
    if (services.contains(known.first)) return false;
    end(known.second, base::to_ms(at));
    return true;
  });
}

std::vector<model::Labels> Samples::touched_by(const std::string& service) const {
  std::vector<model::Labels> touched;
  if (const auto found = services_.find(service); found != services_.end())
    for (const Entry& entry : found->second) touched.push_back(entry.stamped);
  for (auto at = probes_.lower_bound({service, ""}); at != probes_.end() && at->first.first == service; ++at)
    for (const Entry& entry : at->second.entries) touched.push_back(entry.stamped);
  return touched;
}

// What the store has refused, or put out, does not begin only to end.
void Samples::end(const std::vector<Entry>& entries, std::int64_t at) {
  for (const Entry& entry : entries)
    if (!entry.stamped.empty())
      if (const auto id = store_.find(entry.stamped)) (void)store_.append(*id, {at, model::stale_marker()});
}

}  // namespace app
