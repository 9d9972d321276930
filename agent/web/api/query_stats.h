// What the parameter "stats" of query and query_range adds to an answer: how long each part took, and how many samples
// were looked at. The names are Prometheus' own; samples by step are behind a feature flag there, and not here.
#pragma once

#include "base/time.h"
#include "encoding/json.h"
#include "promql/engine.h"

namespace web {

struct QueryStats {
  base::Clock::duration queued{};    // waited for its turn
  base::Clock::duration prepared{};  // samples were read
  base::Clock::duration evaluated{};
  base::Clock::duration whole{};  // all but `queued`
  promql::SampleCounts samples;
};

// Key and object.
void write_query_stats(const QueryStats& stats, encoding::Json& json);

}  // namespace web
