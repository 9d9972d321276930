#include "app/metric_blocks.h"

#include <algorithm>

#include "app/families.h"
#include "app/samples.h"
#include "base/check.h"
#include "model/sample.h"

namespace app {
namespace {

using model::Labels;
using model::MetricType;

const double kAbsent = model::stale_marker();

// The series of a probe that are no measurements; values_of() has their values in the same order. The first are the
// agent's, the others are written with each run.
constexpr std::size_t kOwnSeries = 5;
constexpr std::size_t kOfAgent = 3;

std::vector<double> values_of(const probe::Status& status) {
  std::vector<double> values(kOwnSeries, kAbsent);
  values[0] = base::seconds(status.spec->interval);
  if (!status.last) return values;
  values[1] = base::seconds(status.last->started);
  if (status.health != model::Health::unknown) values[2] = status.health == model::Health::up ? 1 : 0;
  const probe::Run* const verdict = status.verdict();
  if (verdict == nullptr) return values;
  const model::Outcome& outcome = verdict->outcome;
  values[3] = outcome.up ? 1 : 0;
  values[4] = model::duration_value(outcome.took);
  values.reserve(values.size() + outcome.measurements.size());
  for (const model::Measurement& m : outcome.measurements) values.push_back(m.value);
  return values;
}

bool is_named(const model::MetricSeries& series, std::string_view name) {
  const std::string& family = series.family->name;
  return name.size() == family.size() + series.suffix.size() && name.starts_with(family) &&
         name.ends_with(series.suffix);
}

base::WallTime last_started(const probe::Status& status) {
  return status.last ? status.last->started : base::WallTime{};
}

}  // namespace

std::shared_ptr<const model::MetricFamily> SharedFamilies::get(std::string_view name, std::string_view help,
                                                               MetricType type) {
  std::weak_ptr<const model::MetricFamily>& known = families_[{std::string(name), type}];
  if (auto family = known.lock()) return family;
  auto family =
      std::make_shared<const model::MetricFamily>(model::MetricFamily{std::string(name), std::string(help), type, {}});
  known = family;
  return family;
}

void SharedFamilies::forget_unused() {
  std::erase_if(families_, [](const auto& each) { return each.second.expired(); });
}

void MetricBlocks::follow(const probe::Status& status) {
  const auto known = probes_.find({status.spec->service, status.spec->name});
  if (known != probes_.end()) refresh(known->second, status);
}

std::vector<MetricBlocks::Block> MetricBlocks::probes(const probe::Statuses& statuses) {
  if (!in_order(statuses)) reorder(statuses);
  std::vector<Block> out;
  out.reserve(statuses.size() + 1);
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    refresh(order_[i]->second, statuses[i]);
    out.push_back(order_[i]->second.block);
  }
  return out;
}

bool MetricBlocks::in_order(const probe::Statuses& statuses) const {
  return std::equal(statuses.begin(), statuses.end(), order_.begin(), order_.end(),
                    [](const probe::Status& status, const Probes::value_type* known) {
                      return status.spec->name == known->first.second && status.spec->service == known->first.first;
                    });
}

void MetricBlocks::reorder(const probe::Statuses& statuses) {
  Probes kept;
  order_.clear();
  for (const probe::Status& status : statuses) {
    const std::pair key(status.spec->service, status.spec->name);
    auto known = probes_.extract(key);
    order_.push_back(&*(known.empty() ? kept.try_emplace(key).first : kept.insert(std::move(known)).position));
  }
  probes_ = std::move(kept);
  families_.forget_unused();
}

void MetricBlocks::refresh(Probe& probe, const probe::Status& status) {
  if (probe.block && probe.runs == status.runs && probe.started == last_started(status) &&
      probe.health == status.health && probe.interval == status.spec->interval &&
      probe.spec_labels == status.spec->labels)
    return;
  if (!same_series(probe, status)) make_series(probe, status);
  probe.block =
      std::make_shared<const model::MetricBlock>(model::MetricBlock{probe.series, values_of(status), kOfAgent});
  CHECK(probe.block->values.size() == probe.series->size());
  probe.runs = status.runs;
  probe.started = last_started(status);
  probe.health = status.health;
  probe.interval = status.spec->interval;
}

bool MetricBlocks::same_series(const Probe& probe, const probe::Status& status) const {
  if (!probe.series || probe.spec_labels != status.spec->labels) return false;
  const probe::Run* const verdict = status.verdict();
  if (verdict == nullptr) return probe.measured.empty();
  const std::vector<model::Measurement>& now = verdict->outcome.measurements;
  if (now.size() != probe.measured.size()) return false;
  for (std::size_t i = 0; i < now.size(); ++i)
    if (now[i].type != probe.measured[i].type || !is_named((*probe.series)[kOwnSeries + i], now[i].name) ||
        now[i].labels != probe.measured[i].own)
      return false;
  return true;
}

void MetricBlocks::make_series(Probe& probe, const probe::Status& status) {
  probe.spec_labels = status.spec->labels;
  probe.measured.clear();
  const Labels labels = probe_labels(*status.spec);
  const probe::Run* const verdict = status.verdict();
  const std::size_t measurements = verdict ? verdict->outcome.measurements.size() : 0;
  Series series;
  series.reserve(kOwnSeries + measurements);
  const auto add = [&](std::string_view name, std::string_view help) {
    series.push_back({families_.get(name, help, MetricType::gauge), "", labels});
  };
  add("fettle_probe_interval_seconds", "Configured time between two runs of the probe.");
  add("fettle_probe_last_run_timestamp_seconds", "Start of the last run of the probe, in seconds since the epoch.");
  add("fettle_probe_up", "The probe's health after its thresholds: 1 up, 0 down; absent while unknown.");
  add(kSuccess.name, kSuccess.help);
  add(kDuration.name, kDuration.help);
  if (verdict != nullptr) {
    probe.measured.reserve(measurements);
    for (const model::Measurement& m : verdict->outcome.measurements) {
      const MeasuredName name = name_of(m);
      series.push_back({families_.get(name.family, name.help, name.type), name.suffix,
                        m.labels.empty() ? labels : with_own_renamed(labels, m.labels)});
      probe.measured.push_back({m.labels, m.type});
    }
  }
  probe.series = std::make_shared<const Series>(std::move(series));
}

// ---- services ----

bool MetricBlocks::same_services(const std::vector<std::pair<std::string, config::Service>>& services) const {
  return std::equal(services.begin(), services.end(), services_.begin(), services_.end(),
                    [](const auto& now, const ServiceLabels& known) {
                      return now.first == known.name && now.second.labels == known.labels &&
                             now.second.depends_on == known.depends_on;
                    });
}

void MetricBlocks::make_service_series(const std::vector<std::pair<std::string, config::Service>>& services) {
  services_.clear();
  Series series;
  for (const auto& [name, service] : services) {
    services_.push_back({name, service.labels, service.depends_on});
    const Labels labels{{"service", name}};
    const auto add = [&](std::string_view family, std::string_view help, const Labels& its_labels,
                         MetricType type = MetricType::gauge, std::string_view suffix = "") {
      series.push_back({families_.get(family, help, type), suffix, its_labels});
    };
    add("fettle_service_up", "The service's health over all of its probes: 1 up, 0 down; absent while unknown.",
        labels);
    add("fettle_maintenance", "1 while the service is in maintenance: nothing is done to it.", labels);
    add("fettle_service", "Always 1; the labels are the service's own.", labels.merged(service.labels),
        MetricType::info, "_info");
    for (const std::string& other : service.depends_on)
      add("fettle_service_dependency", "Always 1: the service depends on the other one.",
          labels.with("depends_on", other));
  }
  service_series_ = std::make_shared<const Series>(std::move(series));
  families_.forget_unused();
}

MetricBlocks::Block MetricBlocks::services(const std::vector<std::pair<std::string, config::Service>>& services,
                                           const std::map<std::string, ServiceHealth>& health,
                                           const Maintenance& maintenance) {
  if (!same_services(services)) make_service_series(services);
  std::vector<double> values;
  values.reserve(service_series_->size());
  for (const auto& [name, service] : services) {
    const auto found = health.find(name);
    const model::Health now = found == health.end() ? model::Health::unknown : found->second.health;
    values.push_back(now == model::Health::unknown ? kAbsent : now == model::Health::up ? 1 : 0);
    values.push_back(maintenance.contains(name) ? 1 : 0);
    values.insert(values.end(), 1 + service.depends_on.size(), 1);
  }
  CHECK(values.size() == service_series_->size());
  return std::make_shared<const model::MetricBlock>(
      model::MetricBlock{service_series_, std::move(values), service_series_->size()});
}

}  // namespace app
