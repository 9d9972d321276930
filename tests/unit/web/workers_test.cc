#include "web/server/workers.h"

#include <doctest/doctest.h>

namespace {

int of(const web::Workers& workers, web::Lane lane) { return workers.of_lane.at(static_cast<std::size_t>(lane)); }

constexpr int kEnough = 64 + web::kBesideWorkers + web::kSpareThreads;

}  // namespace

TEST_CASE("with room for all each lane has the workers that it wants") {
  const auto workers = web::workers_for({kEnough, ""}, 20);
  REQUIRE(workers.has_value());
  CHECK(workers->of_lane == std::array<int, web::kLanes>{6, 4, 34, 10, 10});
  CHECK(workers->all() == web::wanted_workers(20));
  CHECK(workers->queries == 20);
  CHECK(workers->api_calls == 32);
  CHECK(workers->streams == 8);
  for (const int queries : {1, 2, 7, 200}) {
    CAPTURE(queries);
    CHECK(web::share_workers(1000, queries).queries == queries);
    CHECK(web::share_workers(1000, queries).api_calls == queries + 12);
  }
}

TEST_CASE("with less room every lane has fewer, and one at least; something is left for what comes and goes") {
  for (std::size_t room = 9; room < kEnough; ++room) {
    CAPTURE(room);
    const auto workers = web::workers_for({room, "raise it"}, 20);
    REQUIRE(workers.has_value());
    CHECK(workers->all() < 64);
    CHECK(static_cast<std::size_t>(workers->all()) + web::kBesideWorkers + std::min<std::size_t>(room / 4, 16) <= room);
    for (const int each : workers->of_lane) CHECK(each >= 1);
    CHECK(workers->queries >= 1);
    CHECK(workers->queries <= workers->api_calls);
    CHECK(workers->api_calls <= of(*workers, web::Lane::api));
    if (of(*workers, web::Lane::api) <= 12) CHECK(workers->api_calls == of(*workers, web::Lane::api));
    CHECK(workers->streams < of(*workers, web::Lane::stream));  // who comes above is told so
  }
  const auto half = web::workers_for({48, "raise it"}, 20);
  REQUIRE(half.has_value());
  CHECK(half->of_lane == std::array<int, web::kLanes>{3, 2, 17, 5, 5});
  CHECK(half->queries == 9);
  CHECK(half->streams == 3);
}

TEST_CASE("without room for one worker in each lane there is a sentence and no server") {
  for (std::size_t room = 0; room < 9; ++room) {
    const auto workers = web::workers_for({room, "raise it"}, 20);
    REQUIRE_FALSE(workers.has_value());
    CHECK(workers.error().kind == base::Kind::limit);
    CHECK(workers.error().text ==
          "there is room for " + std::to_string(room) + " threads more, and the web server needs 9; raise it");
  }
}
