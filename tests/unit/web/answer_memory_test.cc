#include "web/server/answer_memory.h"

#include <doctest/doctest.h>

#include <thread>

#include "handlers.h"

namespace {

const auto kPast = base::Clock::now() - std::chrono::seconds{1};

}  // namespace

TEST_CASE("answers share one pot: who needs more than is left waits, and half of it is the most that one waits for") {
  web::AnswerMemory pot(1600);
  auto one = pot.take(600, kPast, {}, nullptr);
  auto two = pot.take(5000, kPast, {}, nullptr);
  REQUIRE((one && two));
  CHECK(two->bytes() == 800);
  CHECK(pot.used() == 1400);
  const auto late = pot.take(30, kPast, {}, nullptr);
  REQUIRE_FALSE(late);
  CHECK(late.error().text == "query timed out in query queue");
  // The last eighth is for small ones.
  CHECK(pot.take(25, kPast, {}, nullptr).has_value());
  CHECK(pot.used() == 1400);
  // Who has some gets more only at once.
  CHECK_FALSE(one->grow_to(601));
  CHECK(one->bytes() == 600);
  CHECK(two->resize(100));
  CHECK(one->grow_to(1300));
  CHECK_FALSE(one->grow_to(1301));
  CHECK(one->grow_to(10));  // has more already
  CHECK(one->bytes() == 1300);
  web::AnswerMemory::Share moved = std::move(*one);
  CHECK(pot.used() == 1400);
  moved = {};
  CHECK(pot.used() == 100);
}

TEST_CASE("who waits for memory gets what another gives back") {
  web::AnswerMemory pot(1600);
  std::atomic<bool> waits{false}, got{false};
  std::thread other;
  {
    const auto one = pot.take(800, kPast, {}, nullptr), two = pot.take(500, kPast, {}, nullptr);
    REQUIRE((one && two));
    other = std::thread([&] {
      got = pot.take(
                   200, base::Clock::now() + std::chrono::hours{1}, [&] { return waits = true, false; }, nullptr)
                .has_value();
    });
    while (!waits) std::this_thread::yield();
    CHECK_FALSE(got);
  }
  other.join();
  CHECK(got);
  CHECK(pot.used() == 0);
}

TEST_CASE("an answer of the API holds its bytes until it is gone, and one that does not fit is refused in full") {
  Handlers handlers;
  auto& series = handlers.backend.series;
  for (int i = 0; i < 1000; ++i) {
    series.push_back({{{"__name__", "wide"}, {"i", std::to_string(i)}}, {}});
    for (std::int64_t t = 0; t < 200; ++t) series.back().samples.push_back({fakes::kShopNow - t * 1000, 0.1});
  }
  {
    const web::Response whole = handlers.get("/api/v1/query?query=wide[1h]");
    CHECK(whole.status == 200);
    CHECK(handlers.memory.used() == whole.body.size());
    CHECK(whole.body.size() > 1'000'000);
  }
  CHECK(handlers.memory.used() == 0);
  {
    const web::Response list = handlers.get("/api/v1/series?match[]=wide");
    CHECK(list.status == 200);
    CHECK(handlers.memory.used() > 0);
  }
  CHECK(handlers.memory.used() == 0);
  // Others are still being sent: a large one waits, small ones do not.
  const std::size_t most = handlers.memory.most();
  const auto other = handlers.memory.take(most / 2, kPast, {}, nullptr);
  const auto more = handlers.memory.take(most / 8 * 3 - 1000, kPast, {}, nullptr);
  REQUIRE((other && more));
  for (const char* url :
       {"/api/v1/query?query=wide[1h]&timeout=10ms", "/api/v1/query?query=count(wide)&timeout=10ms"}) {
    const web::Response late = handlers.get(url);
    CHECK(late.status == 503);
    CHECK(late.body == R"({"status":"error","errorType":"timeout","error":"query timed out in query queue"})");
  }
  CHECK(handlers.get("/api/v1/query?query=1").status == 200);
  CHECK(handlers.get("/metrics").status == 200);
  series.resize(10);
  CHECK(handlers.get("/api/v1/query?query=count(wide)").status == 200);
}

TEST_CASE("subqueries without end are refused before anything is read, and in Prometheus' words") {
  Handlers handlers;
  handlers.backend.next_answer = base::fail(base::Kind::unavailable, "it was asked for samples");
  for (const char* url :
       {"/api/v1/query?query=sum_over_time(x[10y:1ms])", "/api/v1/query?query=sum_over_time(vector(1)[10y:1ms])",
        "/api/v1/query_range?query=sum_over_time(x[1y:1ms])&start=0&end=10&step=1"}) {
    CAPTURE(url);
    const web::Response refused = handlers.get(url);
    CHECK(refused.status == 422);
    CHECK(refused.body == R"({"status":"error","errorType":"execution","error":"query processing would load too many )"
                          R"(samples into memory in query execution"})");
  }
}
