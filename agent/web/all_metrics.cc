#include "web/all_metrics.h"

#include "self/names.h"

namespace web {

std::vector<model::MetricFamily> all_metrics(const Context& context) {
  const auto snapshot = context.slot.load();
  std::vector<model::MetricFamily> families = context.backend.self_metrics();
  if (context.event_streams)
    families.push_back({self::kEventStreams.name,
                        self::kEventStreams.help,
                        model::MetricType::gauge,
                        {{"", {}, static_cast<double>(context.event_streams())}}});
  families.insert(families.end(), snapshot->metrics.begin(), snapshot->metrics.end());
  return families;
}

}  // namespace web
