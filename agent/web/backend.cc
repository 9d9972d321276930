#include "web/backend.h"

namespace web {

base::Result<std::vector<model::Labels>> Backend::select_series(const std::vector<model::Matcher>& matchers,
                                                                std::int64_t start, std::int64_t end) {
  promql::Needs needs;
  needs.matchers = matchers;
  TRY(const auto data, copy_samples({needs}, start, end));
  std::vector<model::Labels> found;
  std::vector<model::Sample> samples;
  for (const promql::SeriesRef& series : data->select(matchers)) {
    samples.clear();
    data->read(series.id, start, end, samples);
    if (!samples.empty()) found.push_back(series.labels);
  }
  return found;
}

}  // namespace web
