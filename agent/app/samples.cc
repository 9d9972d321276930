#include "app/samples.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/hash.h"

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

bool Samples::Batch::find(const Value& value, std::size_t& place) {
  const auto is_it = [&](const Entry& entry) {
    return entry.stamped.metric_name() == value.name && entry.own == *value.own;
  };
  place = guess;
  if (place < known.size() && is_it(known[place])) return true;
  // Of a probe's twenty series each is looked at. A page has many more, of which thousands are new while an agent
  // starts.
  constexpr std::size_t kLong = 64;
  if (known.size() <= kLong) {
    place = 0;
    while (place < known.size() && !is_it(known[place])) ++place;
    return place < known.size();
  }
  const auto hash_of = [](std::string_view name, const model::Labels& own) {
    return static_cast<std::size_t>(base::fnv1a(name, own.hash()));
  };
  if (places.empty())
    for (std::size_t i = 0; i < known.size(); ++i)
      if (!known[i].stamped.empty()) places.emplace(hash_of(known[i].stamped.metric_name(), known[i].own), i);
  const auto [begin, end] = places.equal_range(hash_of(value.name, *value.own));
  const auto found = std::find_if(begin, end, [&](const auto& each) { return is_it(known[each.second]); });
  if (found == end) return false;
  place = found->second;
  return true;
}

model::Labels Samples::named(std::string_view name) {
  constexpr std::size_t kMost = 4096;  // names that services bring may come and go
  if (names_.size() >= kMost) names_.clear();
  model::Labels& labels = names_[std::string(name)];
  if (labels.empty()) labels = model::Labels{{model::kMetricName, name}};
  return labels;
}

template <typename CommonLabels>
model::Labels Samples::stamped(Batch& batch, CommonLabels common, const Value& value) {
  if (!batch.common) batch.common = target_.merged(common());
  if (value.own->empty()) return named(value.name).joined(*batch.common);
  if (batch.last_own != *value.own) {
    batch.last_own = *value.own;
    batch.last = with_own_renamed(*batch.common, *value.own);
  }
  return named(value.name).joined(batch.last);
}

template <typename CommonLabels>
void Samples::append(Batch& batch, CommonLabels common, const std::vector<Value>& values, std::int64_t at) {
  for (const Value& value : values) {
    std::size_t place = 0;
    if (batch.find(value, place)) {
      batch.next.push_back(std::move(batch.known[place]));
      batch.guess = place + 1;
    } else {
      batch.next.push_back({*value.own, stamped(batch, common, value), value.writer});
    }
    append(batch.next.back(), {at, value.value});
  }
}

std::vector<Samples::Entry> Samples::finish(Batch& batch, std::int64_t at) {
  end(batch.known, at);  // what was moved from is empty and ends nothing
  return std::move(batch.next);
}

template <typename CommonLabels>
void Samples::append_all(std::vector<Entry>& known, CommonLabels common, const std::vector<Value>& values,
                         std::int64_t at) {
  Batch batch{std::move(known), {}};
  batch.next.reserve(values.size());
  append(batch, common, values, at);
  known = finish(batch, at);
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

void Samples::append_run(const probe::Run& run, base::WallTime at) {
  const model::Outcome& outcome = run.outcome;
  std::vector<Value> values;
  values.reserve(outcome.measurements.size() + 2);
  values.push_back({"probe_success", &kNoLabels, outcome.up ? 1.0 : 0.0});
  ProbeSeries& series = probes_[{run.spec->service, run.spec->name}];
  if (series.entries.empty()) series.common = probe_labels(*run.spec);
  if (series.writer == store::kHealth) series.writer = store_.add_writer(run.spec->service + "/" + run.spec->name);
  series.last = aligned(series.last, run.spec->interval, base::to_ms(at));
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

// `names` outlives `values`, which point into it.
void Samples::add_point(const std::string& family, std::string_view suffix, const model::Labels& labels, double value,
                        std::deque<std::string>& names, std::vector<Value>& values) const {
  if (written_by_runs(family, labels)) return;
  // What is told of each probe is as much as what the probes measure, and has room where they have.
  const store::Writer writer = labels.has("probe") ? page_writer_ : self_writer_;
  const std::string_view name = suffix.empty() ? family : names.emplace_back(family + std::string(suffix));
  values.push_back({name, &labels, value, writer});
}

void Samples::begin_page(model::MetricPage page, base::WallTime at, base::Millis every) {
  finish_page();  // the one before
  page_last_ = aligned(page_last_, every, base::to_ms(at));
  page_now_ = Page{std::move(page), page_last_, {std::move(page_), {}}};
  page_now_->batch.next.reserve(page_now_->batch.known.size());
}

bool Samples::append_page_part() {
  constexpr std::size_t kPart = 256;
  if (!page_now_) return false;
  Page& now = *page_now_;
  std::deque<std::string> names;
  std::vector<Value> values;
  // Histograms last: where the store is small, what rules about the agent read has its place before them.
  if (!std::exchange(now.has_families, true))
    for (const bool of_histograms : {false, true})
      for (const model::MetricFamily& family : now.page.families)
        for (const model::MetricPoint& point : family.points)
          if (point.suffix.empty() != of_histograms)
            add_point(family.name, point.suffix, point.labels, point.value, names, values);
  for (std::size_t left = kPart; left > 0 && now.block < now.page.blocks.size(); --left) {
    const model::MetricBlock& block = *now.page.blocks[now.block];
    if (now.in_block == block.own) {
      ++now.block;
      now.in_block = 0;
      continue;
    }
    const std::size_t i = now.in_block++;
    const model::MetricSeries& series = (*block.series)[i];
    if (!model::is_stale(block.values[i]))
      add_point(series.family->name, series.suffix, series.labels, block.values[i], names, values);
  }
  append(
      now.batch, [] { return kNoLabels; }, values, now.at);
  if (now.block < now.page.blocks.size()) return true;
  page_ = finish(now.batch, now.at);
  page_now_.reset();
  return false;
}

void Samples::finish_page() {
  while (append_page_part()) {
  }
}

store::Writer Samples::rule_writer(const model::Labels& labels) {
  const std::string_view metric = labels.metric_name();
  const bool is_alert = metric == "ALERTS" || metric == "ALERTS_FOR_STATE";
  std::pair key(is_alert ? store::Rank::alert : store::Rank::recording,
                std::string(is_alert ? labels.get("alertname") : metric));
  if (const auto known = rules_.find(key); known != rules_.end()) return known->second;
  // Names come and go with reloads: those that have nothing left make place.
  std::erase_if(rules_, [&](const auto& each) {
    if (store_.writer(each.second).series > 0) return false;
    store_.remove_writer(each.second);
    return true;
  });
  const store::Writer writer = store_.add_writer((is_alert ? "the alert " : "the recording ") + key.second, key.first);
  rules_.emplace(std::move(key), writer);
  return writer;
}

bool Samples::append_rule(const model::Labels& labels, model::Sample sample) {
  if (const auto id = store_.find(labels)) return store_.append(*id, sample).has_value();
  if (model::is_stale(sample.v)) return true;  // what the store has refused does not begin only to end
  const base::Result<store::SeriesId> id = store_.series(labels, rule_writer(labels));
  return id && store_.append(*id, sample).has_value();
}

void Samples::retarget(model::Labels target, base::WallTime at) {
  if (target == target_) return;
  finish_page();  // under the old ones
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
