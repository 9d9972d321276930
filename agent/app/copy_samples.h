// The samples that a query needs, copied out of the store for a worker thread. Loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "promql/parser.h"
#include "promql/queryable.h"
#include "store/store.h"

namespace app {

// Kind::limit above this many samples: a copy of 32 MiB holds the loop for about 50 ms.
inline constexpr std::size_t kCopyLimit = 2'000'000;

// What `needs` ask for around evaluation times from `start` to `end` (milliseconds).
base::Result<std::unique_ptr<promql::Queryable>> copy_samples(const store::Store& store,
                                                              const std::vector<promql::Needs>& needs,
                                                              std::int64_t start, std::int64_t end);

// The label sets of the series with a sample in [start, end].
std::vector<model::Labels> select_series(const store::Store& store, const std::vector<model::Matcher>& matchers,
                                         std::int64_t start, std::int64_t end);

}  // namespace app
