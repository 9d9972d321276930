// Metrics ready for exposition: what /metrics prints, before it is text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"

namespace model {

enum class MetricType { gauge, counter, histogram, summary, info, unknown };

struct MetricPoint {
  // A literal: "", "_total", "_bucket", "_sum", "_count" or "_info", what follows the family's name.
  std::string_view suffix;
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

// Series that come and go together, as those of one probe: what tells them apart is made when they come, and shared by
// all pages until they go. Only the values are new on each page.
struct MetricSeries {
  std::shared_ptr<const MetricFamily> family;  // without points; shared by the series of all blocks
  std::string_view suffix;                     // a literal, as a point's
  Labels labels;
};
struct MetricBlock {
  std::shared_ptr<const std::vector<MetricSeries>> series;
  std::vector<double> values;  // one for each of `series`; the stale marker where it is not there now
  std::size_t own = 0;         // so many in front are of the agent; the others are what a run found
};

// Families stand before blocks where both have points of one name.
struct MetricPage {
  std::vector<MetricFamily> families;
  std::vector<std::shared_ptr<const MetricBlock>> blocks;
};

// The same as families, sorted by name and type, for those who are not in a hurry.
std::vector<MetricFamily> families_of(const MetricPage& page);

}  // namespace model
