// Reads what applications show to Prometheus: text format 0.0.4 and OpenMetrics 1.0. Strict about what it takes, and
// cheap about metrics that are not asked for: their labels are passed over.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/metric_family.h"

namespace encoding {

struct ScrapedSample {
  std::string_view name;
  std::vector<std::pair<std::string, std::string>> labels;  // in their order
  double value = 0;
  model::MetricType type = model::MetricType::unknown;  // of its family, if the page says so before it
};

struct ExpositionFilter {
  std::function<bool(std::string_view name)> wants;
  std::function<void(const ScrapedSample&)> take;
};

enum class ExpositionFormat { text, open_metrics };

// The number of samples in `text`, taken or not. Timestamps and exemplars are read over. Errors (protocol) name the
// line; OpenMetrics that does not end with # EOF was cut off.
base::Result<std::size_t> read_exposition(std::string_view text, ExpositionFormat format,
                                          const ExpositionFilter& filter);

}  // namespace encoding
