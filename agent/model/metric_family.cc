#include "model/metric_family.h"

#include <map>
#include <utility>

#include "model/sample.h"

namespace model {

std::vector<MetricFamily> families_of(const MetricPage& page) {
  std::map<std::pair<std::string_view, MetricType>, MetricFamily> by_name;
  const auto of = [&](const MetricFamily& family) -> MetricFamily& {
    const auto [at, is_new] = by_name.try_emplace({family.name, family.type});
    if (is_new) at->second = {family.name, family.help, family.type, {}};
    return at->second;
  };
  for (const MetricFamily& family : page.families) {
    std::vector<MetricPoint>& points = of(family).points;
    points.insert(points.end(), family.points.begin(), family.points.end());
  }
  for (const auto& block : page.blocks)
    for (std::size_t i = 0; i < block->values.size(); ++i) {
      const MetricSeries& series = (*block->series)[i];
      if (!is_stale(block->values[i]))
        of(*series.family).points.push_back({series.suffix, series.labels, block->values[i]});
    }
  std::vector<MetricFamily> out;
  for (auto& [name, family] : by_name) out.push_back(std::move(family));
  return out;
}

}  // namespace model
