#include "web/server/query_gate.h"

#include <doctest/doctest.h>

#include <thread>

#include "handlers.h"

namespace {

const auto kLater = std::chrono::hours{1};
constexpr auto kLight = web::QueryGate::Weight::light, kHeavy = web::QueryGate::Weight::heavy;

std::string refusal(web::QueryGate& gate, base::Instant deadline, const std::function<bool()>& abandoned = {},
                    const std::atomic<bool>* stopping = nullptr) {
  const auto permit = gate.enter(kLight, deadline, abandoned, stopping);
  return permit ? "" : std::string(base::to_string(permit.error().kind)) + ": " + permit.error().text;
}

}  // namespace

TEST_CASE("so many queries have a turn; who waits gives up at its deadline, without a client, and at the end") {
  web::QueryGate gate(2);
  const base::Instant past = base::Clock::now() - std::chrono::seconds{1}, later = base::Clock::now() + kLater;
  const auto one = gate.enter(kLight, later, {}, nullptr);
  CHECK(one);
  {
    const auto two = gate.enter(kLight, past, {}, nullptr);  // nobody has to wait: no deadline is looked at
    CHECK(two);
    CHECK(gate.queries() == 2);
    CHECK(refusal(gate, past) == "timeout: query timed out in query queue");
    CHECK(refusal(gate, later, [] { return true; }) == "cancelled: query was canceled in query queue");
    const std::atomic<bool> stopping{true};
    CHECK(refusal(gate, later, {}, &stopping) == "cancelled: query was canceled in query queue");
    CHECK(gate.queries() == 2);
  }
  CHECK(gate.queries() == 1);
  CHECK(refusal(gate, past) == "");
}

TEST_CASE("heavy queries get half of the turns, so that a light one finds its own") {
  const base::Instant past = base::Clock::now() - std::chrono::seconds{1};
  struct Row {
    int permits, heavy;
  };
  for (const Row& row : {Row{1, 1}, Row{2, 1}, Row{3, 1}, Row{20, 10}}) {
    CAPTURE(row.permits);
    web::QueryGate gate(row.permits);
    std::vector<web::QueryGate::Permit> permits;
    for (int i = 0; i < row.heavy; ++i) {
      auto permit = gate.enter(kHeavy, past, {}, nullptr);
      REQUIRE(permit);
      permits.push_back(*std::move(permit));
    }
    CHECK_FALSE(gate.enter(kHeavy, past, {}, nullptr));
    for (int i = row.heavy; i < row.permits; ++i) {
      auto permit = gate.enter(kLight, past, {}, nullptr);
      REQUIRE(permit);
      permits.push_back(*std::move(permit));
    }
    CHECK_FALSE(gate.enter(kLight, past, {}, nullptr));
    permits.clear();
    CHECK(gate.enter(kHeavy, past, {}, nullptr));
  }
}

TEST_CASE("who waits gets the turn that another gives back") {
  web::QueryGate gate(1);
  std::atomic<bool> waits{false}, got{false};
  std::thread other;
  {
    const auto permit = gate.enter(kLight, base::Clock::now() + kLater, {}, nullptr);
    other = std::thread([&] {
      // It is asked whether somebody still waits only when there is no turn.
      const auto second = gate.enter(
          kLight, base::Clock::now() + kLater, [&] { return waits = true, false; }, nullptr);
      got = second.has_value();
    });
    while (!waits) std::this_thread::yield();
    CHECK_FALSE(got);
  }
  other.join();
  CHECK(got);
  CHECK(gate.queries() == 0);
}

TEST_CASE("queries of the API wait in the queue and say so when their time is over there") {
  Handlers handlers;
  const auto count = [&](web::QueryGate::End end) { return handlers.gate.ended_so_far(end); };
  using End = web::QueryGate::End;
  CHECK(handlers.get("/api/v1/query?query=1").status == 200);
  CHECK(count(End::success) == 1);
  CHECK(handlers.get("/api/v1/query?query=topk(NaN,vector(1))").status == 422);
  CHECK(count(End::error) == 1);
  {
    const auto one = handlers.gate.enter(kLight, {}, {}, nullptr), two = handlers.gate.enter(kLight, {}, {}, nullptr);
    REQUIRE((one && two));
    for (const char* url :
         {"/api/v1/query?query=1&timeout=1ms", "/api/v1/query_range?query=1&start=0&end=1&step=1&timeout=1ms"}) {
      CAPTURE(url);
      const web::Response late = handlers.get(url);
      CHECK(late.status == 503);
      CHECK(late.body == R"({"status":"error","errorType":"timeout","error":"query timed out in query queue"})");
    }
    CHECK(count(End::timeout) == 2);
    // What is wrong with a query is said without a turn, as in Prometheus.
    CHECK(handlers.get("/api/v1/query?query=sum(").status == 400);
    CHECK(handlers.get("/api/v1/labels").status == 200);
    const std::string page = handlers.get("/metrics").body;
    CHECK(page.find("\nprometheus_engine_queries 2\n") != std::string::npos);
    CHECK(page.find("\nprometheus_engine_queries_concurrent_max 2\n") != std::string::npos);
    CHECK(page.find("\nfettle_queries_total{result=\"timeout\"} 2\n") != std::string::npos);
  }
  CHECK(handlers.get("/api/v1/query?query=1").status == 200);
}
