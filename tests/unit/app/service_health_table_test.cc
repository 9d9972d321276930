#include "app/service_health_table.h"

#include <doctest/doctest.h>

using model::Health;
using namespace std::chrono_literals;

namespace {

const base::Instant kNow{100h};
base::WallTime wall(int second) { return base::wall_from_ms(second * 1000); }

struct Order {
  Order() {
    spec.service = "order";
    spec.name = "http";
    run.spec = &spec;
    health_table.keep_only({{"order", {}}}, wall(0));
  }
  std::optional<model::HealthChange> found(model::Outcome outcome, Health health, base::Instant now = kNow) {
    run.outcome = std::move(outcome);
    return health_table.update(run, health, now, wall(1));
  }
  probe::Spec spec;
  probe::Run run;
  app::ServiceHealthTable health_table;
};

}  // namespace

TEST_CASE("a change says what it was before and which probe found what") {
  Order order;
  CHECK(order.health_table.health("order") == Health::unknown);
  CHECK(order.health_table.all().at("order").text == "no probe has run yet");
  const auto up = order.found(model::Outcome::success("200"), Health::up);
  REQUIRE(up.has_value());
  CHECK(up->from == Health::unknown);
  CHECK(up->text == "");
  CHECK_FALSE(order.found(model::Outcome::success("200"), Health::up).has_value());
  const auto down = order.found(model::Outcome::failure(model::Reason::refused, "connection refused"), Health::down);
  REQUIRE(down.has_value());
  CHECK(down->reason == model::Reason::refused);
  CHECK(down->text == "http: connection refused");
  CHECK(order.health_table.health("order") == Health::down);
}

TEST_CASE("a failure is measured from its first run, or from the event that told of it") {
  Order order;
  model::Outcome failure = model::Outcome::failure(model::Reason::read_timeout, "no answer");
  failure.took = 300ms;
  order.found(failure, Health::up, kNow);
  order.found(failure, Health::down, kNow + 1s);
  CHECK(order.health_table.detection_latency(order.run, kNow + 1s) == 1300ms);
  order.run.event = probe::Event{"pidfd", "gone", kNow + 999ms};
  CHECK(order.health_table.detection_latency(order.run, kNow + 1s) == 1ms);
}

TEST_CASE("the uptime of a service is as old as its process, and unknown until it was measured") {
  Order order;
  CHECK_FALSE(order.health_table.uptime("order", wall(100)).has_value());
  model::Outcome outcome = model::Outcome::success("running");
  outcome.measurements.push_back({"probe_process_start_time_seconds", 40, {}});
  order.run.outcome = outcome;
  CHECK(order.health_table.new_start(order.run) == wall(40));
  CHECK_FALSE(order.health_table.new_start(order.run).has_value());
  CHECK(order.health_table.uptime("order", wall(100)) == base::Duration(60s));
  // The clock was set back, or the time of boot is a step behind: it began just now.
  CHECK(order.health_table.uptime("order", wall(30)) == base::Duration(0s));
}

TEST_CASE("a reload keeps what is known of the services that stay") {
  Order order;
  order.found(model::Outcome::success("200"), Health::up);
  order.health_table.keep_only({{"order", {}}, {"redis", {}}}, wall(5));
  CHECK(order.health_table.health("order") == Health::up);
  CHECK(order.health_table.health("redis") == Health::unknown);
  order.health_table.keep_only({{"redis", {}}}, wall(6));
  CHECK_FALSE(order.health_table.knows("order"));
}
