// The *_over_time functions: an aggregation over one series' window.
#include <algorithm>
#include <cmath>

#include "promql/functions/range_function.h"

namespace promql {
namespace {

using Window = std::span<const model::Sample>;

bool count(RangeCall&, Window window, double& out) {
  out = static_cast<double>(window.size());
  return true;
}

bool present(RangeCall&, Window, double& out) {
  out = 1;
  return true;
}

bool last(RangeCall&, Window window, double& out) {
  out = window.back().v;
  return true;
}

bool first(RangeCall&, Window window, double& out) {
  out = window.front().v;
  return true;
}

bool sum(RangeCall& call, Window window, double& out) {
  double total = 0;
  double error = 0;
  if (call.compat == Compat::v3)
    for (const model::Sample& sample : window) add_exactly_v3(sample.v, total, error);
  else
    for (const model::Sample& sample : window) add_exactly(sample.v, total, error);
  out = std::isinf(total) ? total : total + error;
  return true;
}

bool average_v2(Window window, double& out) {
  double mean = 0;
  double error = 0;
  double n = 0;
  for (const model::Sample& sample : window) {
    ++n;
    if (std::isinf(mean)) {
      // An infinite mean stays: it cannot be subtracted, and finite values do not move it.
      if (std::isinf(sample.v) && (mean > 0) == (sample.v > 0)) continue;
      if (!std::isinf(sample.v) && !std::isnan(sample.v)) continue;
    }
    add_exactly(sample.v / n - mean / n, mean, error);
  }
  out = std::isinf(mean) ? mean : mean + error;
  return true;
}

bool average(RangeCall& call, Window window, double& out) {
  if (call.compat == Compat::v2) return average_v2(window, out);
  Mean mean;
  for (const model::Sample& sample : window) mean.add(sample.v);
  out = mean.value();
  return true;
}

bool minimum(RangeCall&, Window window, double& out) {
  out = window.front().v;
  for (const model::Sample& sample : window)
    if (sample.v < out || std::isnan(out)) out = sample.v;
  return true;
}

bool maximum(RangeCall&, Window window, double& out) {
  out = window.front().v;
  for (const model::Sample& sample : window)
    if (sample.v > out || std::isnan(out)) out = sample.v;
  return true;
}

// Welford's way, with both sums kept exactly.
bool variance(RangeCall&, Window window, double& out) {
  double n = 0;
  double mean = 0, mean_error = 0;
  double squares = 0, squares_error = 0;
  for (const model::Sample& sample : window) {
    ++n;
    const double delta = sample.v - (mean + mean_error);
    add_exactly(delta / n, mean, mean_error);
    add_exactly(delta * (sample.v - (mean + mean_error)), squares, squares_error);
  }
  out = (squares + squares_error) / n;
  return true;
}

bool deviation(RangeCall& call, Window window, double& out) {
  variance(call, window, out);
  out = std::sqrt(out);
  return true;
}

bool quantile_of_window(RangeCall& call, Window window, double& out) {
  static thread_local std::vector<double> values;
  values.clear();
  for (const model::Sample& sample : window) values.push_back(sample.v);
  out = quantile(call.first, values);
  return true;
}

constexpr RangeFunction kFunctions[] = {
    {"avg_over_time", average},       {"count_over_time", count},
    {"first_over_time", first, true}, {"last_over_time", last, true},
    {"max_over_time", maximum},       {"min_over_time", minimum},
    {"present_over_time", present},   {"quantile_over_time", quantile_of_window},
    {"stddev_over_time", deviation},  {"stdvar_over_time", variance},
    {"sum_over_time", sum},
};

}  // namespace

void Mean::add(double v) {
  ++count_;
  if (!running_) {
    double sum = sum_;
    double error = error_;
    add_exactly_v3(v, sum, error);
    if (count_ == 1 || !std::isinf(sum)) {
      sum_ = sum;
      error_ = error;
      return;
    }
    running_ = true;
    mean_ = sum_ / (count_ - 1);
    error_ /= count_ - 1;
  }
  if (std::isinf(mean_)) {
    if (std::isinf(v) && (mean_ > 0) == (v > 0)) return;
    if (!std::isinf(v) && !std::isnan(v)) return;
  }
  const double current = mean_ + error_;
  add_exactly_v3(v / count_ - current / count_, mean_, error_);
}

double Mean::value() const { return running_ ? mean_ + error_ : sum_ / count_ + error_ / count_; }

double quantile(double q, std::vector<double>& values) {
  if (values.empty() || std::isnan(q)) return std::nan("");
  if (q < 0) return -INFINITY;
  if (q > 1) return INFINITY;
  const auto nan_first = [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; };
  const auto n = static_cast<double>(values.size());
  const double rank = q * (n - 1);
  const auto lower = static_cast<std::ptrdiff_t>(std::max(0.0, std::floor(rank)));
  const double weight = rank - std::floor(rank);
  const auto at = values.begin() + lower;
  std::nth_element(values.begin(), at, values.end(), nan_first);
  const double low = *at;
  const double high = at + 1 == values.end() ? low : *std::min_element(at + 1, values.end(), nan_first);
  return low * (1 - weight) + high * weight;
}

const RangeFunction* find_over_time_function(std::string_view name) {
  for (const RangeFunction& function : kFunctions)
    if (function.name == name) return &function;
  return nullptr;
}

const RangeFunction* find_range_function(std::string_view name) {
  const RangeFunction* found = find_over_time_function(name);
  return found ? found : find_rate_function(name);
}

}  // namespace promql
