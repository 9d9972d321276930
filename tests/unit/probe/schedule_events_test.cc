// Runs that events and people ask for, beside the grid.
#include <doctest/doctest.h>

#include <utility>

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

TEST_CASE("an event starts a confirming run at once and the run names it") {
  fakes::Script script;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "process")));
  node.world.loop.advance(3s);
  const std::size_t before = node.runs.size();
  script.outcome = Outcome::failure(Reason::process_gone, "process 7 is gone");
  const base::Instant noticed = node.world.loop.now();
  script.on_event({"pidfd", "process 7 ended", noticed});
  CHECK(script.starts.back() == noticed);
  node.world.loop.advance(1ms);
  REQUIRE(node.runs.size() == before + 1);
  REQUIRE(node.runs.back().event.has_value());
  CHECK(node.runs.back().event->source == "pidfd");
  CHECK(node.schedule.status("order", "process")->events == 1);
}

TEST_CASE("a fatal reason after an event changes health in that very run") {
  fakes::Script script;
  Node node;
  probe::Spec spec = spec_of(script, "order", "process");
  spec.fatal_reasons = {Reason::process_gone};
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(3s);
  script.outcome = Outcome::failure(Reason::process_gone, "process 7 is gone");
  script.on_event({"pidfd", "process 7 ended", node.world.loop.now()});
  node.world.loop.advance(1ms);
  CHECK(node.changes.back().to == Health::down);
  CHECK(node.schedule.service_health("order") == Health::down);
}

TEST_CASE("an event makes the other probes of the service look, too, and nobody else's") {
  fakes::Script process, http, other;
  Node node;
  node.schedule.replace(
      list(spec_of(process, "order", "process"), spec_of(http, "order", "http"), spec_of(other, "payment", "http")));
  node.world.loop.advance(3s);
  const std::size_t other_before = other.starts.size();
  process.on_event({"pidfd", "process 7 ended", node.world.loop.now()});
  CHECK(http.starts.back() == node.world.loop.now());
  CHECK(other.starts.size() == other_before);
  CHECK(node.schedule.status("order", "http")->events == 0);
}

TEST_CASE("a storm of events gives at most one run in 100 ms, and the last event is not lost") {
  fakes::Script script;
  Node node;
  probe::Spec spec = spec_of(script, "order", "process");
  spec.interval = 1h;
  spec.timeout = 1s;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(10s);
  const std::size_t before = script.starts.size();
  for (int i = 0; i < 1000; ++i) {
    script.on_event({"systemd", "changed", node.world.loop.now()});
    node.world.loop.advance(1ms);
  }
  CHECK(script.starts.size() - before == 11);  // at 0, 100 … 1000 ms
  script.on_event({"systemd", "changed", node.world.loop.now()});
  CHECK(script.starts.size() - before == 11);
  node.world.loop.advance(1s);
  CHECK(script.starts.size() - before == 12);
  for (std::size_t i = before + 1; i < script.starts.size(); ++i)
    CHECK(script.starts[i] - script.starts[i - 1] >= 100ms);
}

TEST_CASE("an event during a run is confirmed by another run after it") {
  fakes::Script script;
  script.takes = 50ms;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "process")));
  node.world.loop.advance(1s);
  node.world.loop.advance(script.starts.back() + 1s - node.world.loop.now() + 10ms);
  const std::size_t before = script.starts.size();
  script.on_event({"pidfd", "process 7 ended", node.world.loop.now()});
  CHECK(script.starts.size() == before);
  node.world.loop.advance(100ms);
  CHECK(script.starts.size() == before + 1);
  CHECK(node.runs.back().event.has_value());
}

TEST_CASE("a trigger runs at once and joins a run that is going on") {
  fakes::Script script;
  script.takes = 100ms;
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.interval = 1h;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(10s);
  const std::size_t before = script.starts.size();
  node.schedule.trigger("order", "http");
  node.schedule.trigger_service("order");
  node.schedule.trigger("order", "nothing of that name");
  node.world.loop.advance(1s);
  CHECK(script.starts.size() == before + 1);
}
