#include "web/api/query_stats.h"

#include <chrono>

namespace web {
namespace {

double seconds(base::Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

void write_query_stats(const QueryStats& stats, encoding::Json& json) {
  json.key("stats").object([&] {
    json.key("timings").object([&] {
      json.key("evalTotalTime").number(seconds(stats.prepared + stats.evaluated));
      json.key("resultSortTime").number(0);  // part of the evaluation
      json.key("queryPreparationTime").number(seconds(stats.prepared));
      json.key("innerEvalTime").number(seconds(stats.evaluated));
      json.key("execQueueTime").number(seconds(stats.queued));
      json.key("execTotalTime").number(seconds(stats.whole));
    });
    json.key("samples").object([&] {
      json.key("totalQueryableSamples").integer(stats.samples.queryable);
      json.key("peakSamples").integer(stats.samples.peak);
    });
  });
}

}  // namespace web
