// What Prometheus 3.16 calls anchored and smoothed: the sample in front of a range counts too, or values are put on the
// range's edges, between the samples on both sides. How far from the edge such a sample may lie, the lookback says.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/sample.h"

namespace promql {

enum class Edges : std::uint8_t { plain, anchored, smoothed };
std::string_view to_string(Edges edges);  // the word behind the selector; empty for plain

// A range in milliseconds; its start does not belong to it. Windows below are the samples from the lookback in front of
// it on, in their order; of smoothed ones also those of the lookback behind it.
struct Bounds {
  std::int64_t from, to;
};

// The value at t on the line from a to b. `falls_to_zero`: a counter that fell between the two began again at 0 at a.
double value_between(const model::Sample& a, const model::Sample& b, std::int64_t t, bool falls_to_zero);

// From the sample in front of the range on, where there is one. Empty if nothing lies inside.
std::span<const model::Sample> anchored(std::span<const model::Sample> window, Bounds range);

// By how much the value changed between the edges; what a counter lost by resets is added. False: nothing lies inside.
bool change_between_edges(std::span<const model::Sample> window, Bounds range, Edges edges, bool counter, double& out);

// The samples inside, and one on each edge. Empty if nothing lies inside.
std::vector<model::Sample> with_edges(std::span<const model::Sample> window, Bounds range, Edges edges);

}  // namespace promql
