// Counters, gauges or histograms that are told apart by label values, found again by those and removed. The lock is
// held while one is touched, so that no thread counts on one that another thread removes. Labels are made once, when a
// series appears, and go with it.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/metric_family.h"
#include "self/names.h"

namespace self {

using LabelValues = std::vector<std::string>;

// Observations by size. Not to be used by several threads at a time.
class Buckets {
 public:
  // `bounds` outlive it: upper ones in seconds, sorted, without +Inf.
  explicit Buckets(const std::vector<double>& bounds) : bounds_(&bounds), counts_(bounds.size() + 1) {}
  void observe(base::Duration took) {
    const double value = base::seconds(took);
    ++counts_[static_cast<std::size_t>(std::lower_bound(bounds_->begin(), bounds_->end(), value) - bounds_->begin())];
    sum_ += took;
  }
  const std::vector<double>& bounds() const { return *bounds_; }
  const std::vector<std::uint64_t>& counts() const { return counts_; }  // the last is above all bounds
  double sum() const { return base::seconds(sum_); }

 private:
  const std::vector<double>* bounds_;
  std::vector<std::uint64_t> counts_;
  base::Duration sum_{};  // not in doubles, which round: a sum of many would have no last decimal place
};

// What is to be known of each kind: its type, the suffixes and labels of its series, and their values in the same
// order.
model::MetricType type_of(const prometheus::Counter*, const Metric& metric);
model::MetricType type_of(const prometheus::Gauge*, const Metric& metric);
model::MetricType type_of(const Buckets*, const Metric& metric);
using Shown = std::vector<std::pair<std::string_view, model::Labels>>;
Shown shown(const prometheus::Counter& counter, model::MetricType type, const model::Labels& labels);
Shown shown(const prometheus::Gauge& gauge, model::MetricType type, const model::Labels& labels);
Shown shown(const Buckets& buckets, model::MetricType type, const model::Labels& labels);
void add_values(const prometheus::Counter& counter, std::vector<double>& to);
void add_values(const prometheus::Gauge& gauge, std::vector<double>& to);
void add_values(const Buckets& buckets, std::vector<double>& to);

std::string number(double value);  // as le and quantile have it
// The family's name as in OpenMetrics.
std::string family_name(const Metric& metric, model::MetricType type);

class AnySeries {
 public:
  virtual ~AnySeries() = default;
  // Adds a block of all that is counted, if there is something.
  virtual void collect(std::vector<std::shared_ptr<const model::MetricBlock>>& out) const = 0;
};

template <typename T>
class Series final : public AnySeries {
 public:
  // Adds itself to `all`; stays where it is.
  Series(const Metric& metric, std::vector<const AnySeries*>& all) : metric_(metric) {
    const model::MetricType type = type_of(static_cast<const T*>(nullptr), metric);
    family_ = std::make_shared<const model::MetricFamily>(
        model::MetricFamily{family_name(metric, type), metric.help, type, {}});
    all.push_back(this);
  }
  Series(const Series&) = delete;
  Series& operator=(const Series&) = delete;

  // Calls touch(child), made with `arguments` if it is new.
  template <typename Touch, typename... Arguments>
  void with(const LabelValues& values, Touch touch, Arguments&&... arguments) {
    const std::lock_guard lock(mutex_);
    const auto [at, is_new] = children_.try_emplace(values, std::forward<Arguments>(arguments)...);
    if (is_new) {
      std::vector<model::Label> labels;
      for (const char* name : metric_.labels) labels.push_back({name, values[labels.size()]});
      at->second.shown = shown(at->second.value, family_->type, model::Labels(std::move(labels)));
      series_ = nullptr;
    }
    touch(at->second.value);
  }

  // Removes the children whose first label values are these.
  void forget(const LabelValues& first) {
    const std::lock_guard lock(mutex_);
    for (auto at = children_.lower_bound(first); at != children_.end();) {
      if (!std::equal(first.begin(), first.end(), at->first.begin())) break;
      at = children_.erase(at);
      series_ = nullptr;
    }
  }

  void collect(std::vector<std::shared_ptr<const model::MetricBlock>>& out) const override {
    const std::lock_guard lock(mutex_);
    if (children_.empty()) return;
    if (!series_) make_series();
    model::MetricBlock block{series_, {}, series_->size()};
    block.values.reserve(series_->size());
    for (const T* each : in_order_) add_values(*each, block.values);
    out.push_back(std::make_shared<const model::MetricBlock>(std::move(block)));
  }

 private:
  struct Child {
    template <typename... Arguments>
    explicit Child(Arguments&&... arguments) : value(std::forward<Arguments>(arguments)...) {}
    T value;
    Shown shown{};
  };

  void make_series() const {
    std::vector<model::MetricSeries> all;
    in_order_.clear();
    for (const auto& [values, child] : children_) {
      in_order_.push_back(&child.value);
      if (all.empty()) all.reserve(children_.size() * child.shown.size());
      for (const auto& [suffix, labels] : child.shown) all.push_back({family_, suffix, labels});
    }
    series_ = std::make_shared<const std::vector<model::MetricSeries>>(std::move(all));
  }

  const Metric& metric_;
  std::shared_ptr<const model::MetricFamily> family_;
  mutable std::mutex mutex_;
  std::map<LabelValues, Child> children_;
  // Of all children, and these in the same order: a tree is slow to walk. Made when it is wanted; null: not yet.
  mutable std::shared_ptr<const std::vector<model::MetricSeries>> series_;
  mutable std::vector<const T*> in_order_;
};

}  // namespace self
