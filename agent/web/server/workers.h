// How many workers there are for each lane, and what may go on at the same time because of that. So many as are wanted,
// or, where the process may not have as many threads, each lane its part of those that can be had, and one at least.
#pragma once

#include <array>

#include "base/result.h"
#include "base/thread.h"
#include "web/server/lane.h"

namespace web {

struct Workers {
  std::array<int, kLanes> of_lane{};
  int queries = 0;    // at a time
  int api_calls = 0;  // those that wait for a query's turn included
  int streams = 0;
  int all() const;
};

// `most`: kLanes or more.
Workers share_workers(int most, int max_queries);
int wanted_workers(int max_queries);

// Threads that there must be room for besides: the front's and that of CivetWeb which takes connections; and, as far as
// there is room, those that come and go, and the programs of probes and actions.
constexpr int kBesideWorkers = 2;
constexpr int kSpareThreads = 16;

// For as many threads as there is room for. Kind::limit: there is no room for the fewest. Says in the log that workers
// are fewer than wanted.
base::Result<Workers> workers_for(const base::ThreadRoom& room, int max_queries);

}  // namespace web
