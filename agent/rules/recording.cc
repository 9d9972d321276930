#include "rules/recording.h"

#include <unordered_set>

namespace rules {

base::Result<promql::Vector> recorded(const CompiledRule& rule, promql::Vector samples, std::int64_t t) {
  std::vector<model::Label> over{{model::kMetricName, rule.source.record}};
  for (const auto& [name, value] : rule.fixed) over.push_back({name, value});
  std::unordered_set<model::Labels, model::LabelsHash> seen;
  for (promql::VectorSample& sample : samples) {
    std::vector<model::Label> labels(sample.labels.begin(), sample.labels.end());
    labels.insert(labels.end(), over.begin(), over.end());
    sample.labels = model::Labels(std::move(labels));
    sample.sample.t = t;
    if (!seen.insert(sample.labels).second)
      return base::fail(base::Kind::invalid,
                        "vector contains metrics with the same labelset after applying rule labels");
  }
  return samples;
}

}  // namespace rules
