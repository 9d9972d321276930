// From runs to the health of probes and services.
#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "fakes/schedule_node.h"

namespace {

using namespace std::chrono_literals;
using fakes::list;
using fakes::spec_of;
using model::Health;
using model::Outcome;
using model::Reason;
using Node = fakes::ScheduleNode;

}  // namespace

TEST_CASE("a service is down with any of its probes, and up only when all are") {
  fakes::Script a, b;
  b.outcome = Outcome::failure(Reason::refused, "refused");
  Node node;
  probe::Spec slow = spec_of(b, "order", "b");
  slow.failure_threshold = 5;
  slow.fast_interval = 1s;
  node.schedule.replace(list(spec_of(a, "order", "a"), std::move(slow)));
  node.world.loop.advance(2s);
  CHECK(node.schedule.service_health("order") == Health::unknown);
  node.world.loop.advance(5s);
  CHECK(node.schedule.service_health("order") == Health::down);
  b.outcome = Outcome::success("ok");
  node.world.loop.advance(1s);
  CHECK(node.schedule.service_health("order") == Health::up);
  CHECK(node.schedule.statuses().size() == 2);
  CHECK(node.schedule.statuses()[1].get().history.size() == 8);
  CHECK(a.after_runs == 8);
  a.cause = "; killed";
  node.world.loop.advance(1s);
  CHECK(node.schedule.status("order", "a")->last->outcome.text == "ok; killed");
}

TEST_CASE("a probe that is down runs at its down interval, and looks closely again once it answers") {
  fakes::Script script;
  script.outcome = Outcome::failure(Reason::refused, "refused");
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.down_interval = 10s;
  spec.failure_threshold = 1;
  spec.success_threshold = 2;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(35s);
  REQUIRE(script.starts.size() >= 4);
  CHECK(script.starts[2] - script.starts[1] == 10s);
  CHECK(script.starts[3] - script.starts[2] == 10s);
  script.outcome = Outcome::success("ok");
  const std::size_t before = script.starts.size();
  node.world.loop.advance(14s);
  REQUIRE(script.starts.size() >= before + 4);
  CHECK(node.schedule.status("order", "http")->health == Health::up);
  CHECK(script.starts[before + 1] - script.starts[before] == 250ms);
  CHECK(script.starts[before + 3] - script.starts[before + 2] == 1s);
}

TEST_CASE("a service that has just started may fail until its grace ends or it has answered once") {
  fakes::Script script;
  script.outcome = Outcome::failure(Reason::refused, "refused");
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.startup_grace = 20s;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(20s);
  CHECK(node.schedule.service_health("order") == Health::unknown);
  node.world.loop.advance(3s);
  CHECK(node.schedule.service_health("order") == Health::down);

  script.outcome = Outcome::success("ok");
  node.world.loop.advance(2s);
  CHECK(node.schedule.service_health("order") == Health::up);

  node.schedule.service_started("order", node.world.loop.now());
  script.outcome = Outcome::failure(Reason::refused, "refused");
  node.world.loop.advance(19s);
  CHECK(node.schedule.service_health("order") == Health::up);
  script.outcome = Outcome::success("ok");
  node.world.loop.advance(1s);
  script.outcome = Outcome::failure(Reason::refused, "refused");
  node.world.loop.advance(4s);
  CHECK(node.schedule.service_health("order") == Health::down);
}

TEST_CASE("a service that started long ago has no grace left") {
  fakes::Script script;
  script.outcome = Outcome::failure(Reason::refused, "refused");
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.startup_grace = 1h;
  node.schedule.replace(list(std::move(spec)));
  node.schedule.service_started("order", node.world.loop.now() - 2h);
  node.world.loop.advance(4s);
  CHECK(node.schedule.service_health("order") == Health::down);
}

TEST_CASE("a service that needs two of three probes bears the loss of one") {
  fakes::Script a, b, c;
  Node node;
  std::vector<probe::Spec> specs = list(spec_of(a, "order", "a"), spec_of(b, "order", "b"), spec_of(c, "order", "c"));
  for (probe::Spec& spec : specs) spec.healthy_probes = 2;
  node.schedule.replace(std::move(specs));
  node.world.loop.advance(2s);
  c.outcome = Outcome::failure(Reason::refused, "refused");
  node.world.loop.advance(4s);
  CHECK(node.schedule.status("order", "c")->health == Health::down);
  CHECK(node.schedule.service_health("order") == Health::up);
  b.outcome = Outcome::failure(Reason::refused, "refused");
  node.world.loop.advance(4s);
  CHECK(node.schedule.service_health("order") == Health::down);
}
