// Metrics ready for exposition: what /metrics prints, before it is text.
#pragma once

#include <string>
#include <vector>

#include "model/labels.h"

namespace model {

enum class MetricType { gauge, counter, histogram, summary, info, unknown };

struct MetricPoint {
  std::string suffix;  // "", "_total", "_bucket", "_sum", "_count", "_info": what follows the family's name
  Labels labels;
  double value = 0;
};

// Family names are as in OpenMetrics: a counter's without _total, an info's without _info.
struct MetricFamily {
  std::string name;
  std::string help;
  MetricType type = MetricType::gauge;
  std::vector<MetricPoint> points;
};

}  // namespace model
