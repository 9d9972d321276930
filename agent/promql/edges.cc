#include "promql/edges.h"

#include <algorithm>

namespace promql {
namespace {

using Window = std::span<const model::Sample>;

// The part of a window that counts, and the values on the range's edges. Empty if nothing lies inside.
struct Part {
  Window samples;
  double left = 0;
  double right = 0;
};

Part part_of(Window window, Bounds range, Edges edges, bool counter) {
  const bool smoothed = edges == Edges::smoothed;
  Window samples = anchored(window, range);
  if (samples.empty()) return {};
  if (smoothed) {
    if (samples.front().t > range.to) return {};
    const auto next = std::find_if(samples.begin(), samples.end(), [&](const auto& s) { return s.t >= range.to; });
    if (next != samples.end()) samples = {samples.begin(), next + 1};
  }
  Part out{samples, samples.front().v, samples.back().v};
  if (smoothed && samples.size() > 1) {
    if (samples.front().t < range.from) out.left = value_between(samples[0], samples[1], range.from, counter);
    if (samples.back().t > range.to)
      out.right = value_between(samples[samples.size() - 2], samples.back(), range.to, counter);
  }
  return out;
}

// Those that lie on neither edge and beyond none.
Window inside(Window samples, Bounds range) {
  if (samples.front().t <= range.from) samples = samples.subspan(1);
  if (!samples.empty() && samples.back().t >= range.to) samples = samples.first(samples.size() - 1);
  return samples;
}

}  // namespace

std::string_view to_string(Edges edges) {
  if (edges == Edges::anchored) return "anchored";
  return edges == Edges::smoothed ? "smoothed" : "";
}

double value_between(const model::Sample& a, const model::Sample& b, std::int64_t t, bool falls_to_zero) {
  const double start = falls_to_zero && b.v < a.v ? 0 : a.v;
  return start + (b.v - start) * static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t);
}

std::span<const model::Sample> anchored(std::span<const model::Sample> window, Bounds range) {
  if (window.empty() || window.back().t <= range.from) return {};
  const auto first = std::find_if(window.begin(), window.end(), [&](const auto& s) { return s.t > range.from; });
  return {first == window.begin() ? first : first - 1, window.end()};
}

bool change_between_edges(std::span<const model::Sample> window, Bounds range, Edges edges, bool counter, double& out) {
  const Part part = part_of(window, range, edges, counter);
  if (part.samples.empty()) return false;
  out = part.right - part.left;
  if (!counter) return true;
  double before = part.left;
  double lost = 0;
  for (const model::Sample& sample : inside(part.samples, range)) {
    if (sample.v < before) lost += before;
    before = sample.v;
  }
  if (part.right < before) lost += before;
  out += lost;
  return true;
}

std::vector<model::Sample> with_edges(std::span<const model::Sample> window, Bounds range, Edges edges) {
  const Part part = part_of(window, range, edges, false);
  if (part.samples.empty()) return {};
  const Window between = inside(part.samples, range);
  std::vector<model::Sample> out{{range.from, part.left}};
  out.insert(out.end(), between.begin(), between.end());
  out.push_back({range.to, part.right});
  return out;
}

}  // namespace promql
