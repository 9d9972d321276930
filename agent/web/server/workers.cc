#include "web/server/workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/log.h"

namespace web {
namespace {

// Workers are CivetWeb's threads. They see whole requests only, and each lane has its own (see front.h): scrapes and
// health checks never wait for pages, queries or event streams.
constexpr int kHealthWorkers = 6;
constexpr int kAdminWorkers = 4;
constexpr int kOtherWorkers = 10;
constexpr int kStreams = 8;
constexpr int kWaitingCalls = 12;  // API calls beside the queries that run
constexpr int kRefusing = 2;       // tell who comes above these numbers that he does

// Of few threads a quarter is left for what comes and goes.
constexpr std::size_t kShareOfSpare = 4;

std::array<int, kLanes> wanted_of_lane(int max_queries) {
  std::array<int, kLanes> wanted{};
  const auto set = [&](Lane lane, int count) { wanted.at(static_cast<std::size_t>(lane)) = count; };
  set(Lane::health, kHealthWorkers);
  set(Lane::admin, kAdminWorkers);
  set(Lane::api, max_queries + kWaitingCalls + kRefusing);
  set(Lane::stream, kStreams + kRefusing);
  set(Lane::other, kOtherWorkers);
  return wanted;
}

}  // namespace

int Workers::all() const { return std::accumulate(of_lane.begin(), of_lane.end(), 0); }

int wanted_workers(int max_queries) { return Workers{.of_lane = wanted_of_lane(max_queries)}.all(); }

Workers share_workers(int most, int max_queries) {
  Workers workers{.of_lane = wanted_of_lane(max_queries)};
  const int wanted = workers.all();
  if (most < wanted) {
    const int shared = most - static_cast<int>(kLanes);  // beside the one that each has
    for (int& each : workers.of_lane) each = 1 + (each - 1) * shared / (wanted - static_cast<int>(kLanes));
  }
  const int calls = workers.of_lane.at(static_cast<std::size_t>(Lane::api));
  workers.api_calls = calls > kWaitingCalls ? calls - kRefusing : calls;  // of few none refuses: who comes waits
  workers.queries = std::max(1, workers.api_calls * max_queries / (max_queries + kWaitingCalls));
  // Without a place a page is told so at once, and asks now and then.
  const int streams = workers.of_lane.at(static_cast<std::size_t>(Lane::stream));
  workers.streams = streams - std::clamp(streams / 2, 1, kRefusing);
  return workers;
}

base::Result<Workers> workers_for(const base::ThreadRoom& room, int max_queries) {
  const std::size_t spare = std::min<std::size_t>(kSpareThreads, room.threads / kShareOfSpare);
  const int most = static_cast<int>(room.threads - spare) - kBesideWorkers;
  if (most < static_cast<int>(kLanes)) {
    constexpr int kFewest = 9;  // of which a quarter is to spare
    return base::fail(base::Kind::limit,
                      fmt::format("there is room for {} threads more, and the web server needs {}; {}", room.threads,
                                  kFewest, room.raise));
  }
  Workers workers = share_workers(most, max_queries);
  if (const int wanted = wanted_workers(max_queries); workers.all() < wanted)
    base::log::warn("fewer workers than wanted answer requests, so that clients wait sooner",
                    {{"workers", fmt::to_string(workers.all())},
                     {"wanted", fmt::to_string(wanted)},
                     {"threads", fmt::to_string(room.threads)},
                     {"needed", fmt::to_string(wanted + kBesideWorkers + kSpareThreads)},
                     {"do", room.raise}});
  return workers;
}

}  // namespace web
