// rate, increase, delta and what else looks at the slope of a series.
#include <cmath>

#include "promql/functions/range_function.h"

namespace promql {
namespace {

using Window = std::span<const model::Sample>;

double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1e3; }

enum class Counter { yes, no };
enum class PerSecond { yes, no };

// The change over the window, stretched to the window's edges where the samples come close to them. A counter never
// extrapolates below zero. 2.x looked for that zero before it limited the stretch, 2.51 and later after.
template <Counter counter, PerSecond per_second>
bool extrapolated(RangeCall& call, Window window, double& out) {
  if (call.edges != Edges::plain) {
    if (!change_between_edges(window, call.bounds, call.edges, counter == Counter::yes, out)) return false;
    if constexpr (per_second == PerSecond::yes) out /= seconds(call.bounds.to - call.bounds.from);
    return true;
  }
  if (window.size() < 2) return false;
  const model::Sample& first = window.front();
  const model::Sample& last = window.back();
  double change = last.v - first.v;
  if constexpr (counter == Counter::yes) {
    double before = first.v;
    for (const model::Sample& sample : window.subspan(1)) {
      if (sample.v < before) change += before;
      before = sample.v;
    }
  }
  double to_start = seconds(first.t - call.bounds.from);
  double to_end = seconds(call.bounds.to - last.t);
  const double sampled = seconds(last.t - first.t);
  const double average = sampled / static_cast<double>(window.size() - 1);
  const double threshold = average * 1.1;
  const bool v3 = call.compat == Compat::v3;
  if (v3 && to_start >= threshold) to_start = average / 2;
  if (counter == Counter::yes && change > 0 && first.v >= 0) {
    const double to_zero = sampled * (first.v / change);
    if (to_zero < to_start) to_start = to_zero;
  }
  double extended = sampled;
  extended += v3 || to_start < threshold ? to_start : average / 2;
  extended += to_end < threshold ? to_end : average / 2;
  double factor = extended / sampled;
  if constexpr (per_second == PerSecond::yes) factor /= seconds(call.bounds.to - call.bounds.from);
  out = change * factor;
  return true;
}

// Of the last two samples only; a counter that fell started anew.
template <Counter counter>
bool instantaneous(RangeCall&, Window window, double& out) {
  if (window.size() < 2) return false;
  const model::Sample& last = window.back();
  const model::Sample& before = window[window.size() - 2];
  if (last.t == before.t) return false;
  const bool reset = counter == Counter::yes && last.v < before.v;
  out = reset ? last.v : last.v - before.v;
  if constexpr (counter == Counter::yes) out /= seconds(last.t - before.t);
  return true;
}

bool changes(RangeCall& call, Window window, double& out) {
  if (call.edges == Edges::anchored) window = anchored(window, call.bounds);
  if (window.empty()) return false;
  double before = window.front().v;
  out = 0;
  for (const model::Sample& sample : window.subspan(1)) {
    if (sample.v != before && !(std::isnan(sample.v) && std::isnan(before))) ++out;
    before = sample.v;
  }
  return true;
}

bool resets(RangeCall& call, Window window, double& out) {
  if (call.edges == Edges::anchored) window = anchored(window, call.bounds);
  if (window.empty()) return false;
  double before = window.front().v;
  out = 0;
  for (const model::Sample& sample : window.subspan(1)) {
    if (sample.v < before) ++out;
    before = sample.v;
  }
  return true;
}

struct Line {
  double slope;
  double at_origin;
};

// Least squares, with x in seconds after `origin`.
Line regression(Window window, std::int64_t origin) {
  double sum_x = 0, sum_y = 0, sum_xy = 0, sum_x2 = 0;
  double error_x = 0, error_y = 0, error_xy = 0, error_x2 = 0;
  const double first = window.front().v;
  bool constant = true;
  for (const model::Sample& sample : window) {
    if (sample.v != first && &sample != window.data()) constant = false;
    const double x = seconds(sample.t - origin);
    add_exactly(x, sum_x, error_x);
    add_exactly(sample.v, sum_y, error_y);
    add_exactly(x * sample.v, sum_xy, error_xy);
    add_exactly(x * x, sum_x2, error_x2);
  }
  if (constant) return std::isinf(first) ? Line{std::nan(""), std::nan("")} : Line{0, first};
  const auto n = static_cast<double>(window.size());
  sum_x += error_x;
  sum_y += error_y;
  sum_xy += error_xy;
  sum_x2 += error_x2;
  const double slope = (sum_xy - sum_x * sum_y / n) / (sum_x2 - sum_x * sum_x / n);
  return {slope, sum_y / n - slope * sum_x / n};
}

bool deriv(RangeCall&, Window window, double& out) {
  if (window.size() < 2) return false;
  out = regression(window, window.front().t).slope;
  return true;
}

bool predict_linear(RangeCall& call, Window window, double& out) {
  if (window.size() < 2) return false;
  const Line line = regression(window, call.t);
  out = line.slope * call.first + line.at_origin;
  return true;
}

// Double exponential smoothing with a smoothing and a trend factor.
bool holt_winters(RangeCall& call, Window window, double& out) {
  const double smoothing = call.first;
  const double trend = call.second;
  if (smoothing <= 0 || smoothing >= 1) {
    call.problem = "invalid smoothing factor. Expected: 0 < sf < 1, got: " + std::to_string(smoothing);
    return false;
  }
  if (trend <= 0 || trend >= 1) {
    call.problem = "invalid trend factor. Expected: 0 < tf < 1, got: " + std::to_string(trend);
    return false;
  }
  if (window.size() < 2) return false;
  double before = 0;
  double level = window[0].v;
  double rise = window[1].v - window[0].v;
  for (std::size_t i = 1; i < window.size(); ++i) {
    const double scaled = smoothing * window[i].v;
    if (i > 1) rise = trend * (level - before) + (1 - trend) * rise;
    const double expected = (1 - smoothing) * (level + rise);
    before = level;
    level = scaled + expected;
  }
  out = level;
  return true;
}

constexpr RangeFunction kFunctions[] = {
    {"rate", extrapolated<Counter::yes, PerSecond::yes>},
    {"increase", extrapolated<Counter::yes, PerSecond::no>},
    {"delta", extrapolated<Counter::no, PerSecond::no>},
    {"irate", instantaneous<Counter::yes>},
    {"idelta", instantaneous<Counter::no>},
    {"changes", changes},
    {"resets", resets},
    {"deriv", deriv},
    {"predict_linear", predict_linear},
    {"holt_winters", holt_winters},
};

}  // namespace

const RangeFunction* find_rate_function(std::string_view name) {
  for (const RangeFunction& function : kFunctions)
    if (function.name == name) return &function;
  return nullptr;
}

}  // namespace promql
