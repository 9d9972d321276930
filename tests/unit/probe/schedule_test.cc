// The grid of runs, their deadlines, and what a new configuration does to them.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
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

std::chrono::milliseconds ms(base::Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d); }

}  // namespace

TEST_CASE("two hours of runs stay on the grid without drift") {
  fakes::Script script;
  script.takes = 7ms;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  node.world.loop.advance(2h);
  REQUIRE(script.starts.size() == 7200);
  for (std::size_t i = 1; i < script.starts.size(); ++i) REQUIRE(script.starts[i] - script.starts[i - 1] == 1s);
  node.world.loop.advance(7ms);
  CHECK(node.runs.size() == 7200);
  CHECK(script.most_alive == 1);
  CHECK(node.schedule.status("order", "http")->overruns == 0);
  CHECK(node.runs.back().lateness == 0s);
  CHECK(node.runs.back().outcome.took == 7ms);
}

TEST_CASE("the phase comes from node, service and probe, and a restart keeps it") {
  const auto first_start = [](const std::string& node_name, const std::string& service, const std::string& probe) {
    fakes::Script script;
    Node node(node_name);
    node.world.loop.advance(0s);
    node.schedule.replace(list(spec_of(script, service, probe)));
    node.world.loop.advance(1s);
    REQUIRE(script.starts.size() == 1);
    return script.starts[0];
  };
  const auto one = first_start("node-2", "order", "http");
  CHECK(first_start("node-2", "order", "http") == one);
  CHECK(first_start("node-4", "order", "http") != one);
  CHECK(first_start("node-2", "order", "tcp") != one);
  CHECK(first_start("node-2", "payment", "http") != one);
}

TEST_CASE("a hundred probes a second wake the node ten times a second, each on its own grid") {
  fakes::Script script;
  Node node;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 100; ++i) specs.push_back(spec_of(script, "order", "http" + std::to_string(i)));
  node.schedule.replace(std::move(specs));
  node.world.loop.advance(1s);  // the first runs may come before their grid
  script.starts.clear();
  node.world.loop.advance(10s);
  CHECK(script.starts.size() == 1000);
  std::map<base::Instant, int> at;
  for (const base::Instant start : script.starts) ++at[start];
  CHECK(at.size() <= 100);
  CHECK(at.size() >= 80);  // and yet they are spread
  for (const auto& [start, runs] : at) {
    CHECK(start.time_since_epoch() % 100ms == 0s);
    CHECK(runs <= 25);
    if (at.contains(start + 1s)) CHECK(at[start + 1s] == runs);
  }
}

TEST_CASE("a long interval does not keep a new probe unknown for long") {
  fakes::Script script;
  Node node;
  probe::Spec spec = spec_of(script, "backup", "age");
  spec.interval = 6h;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(5s);
  CHECK(node.runs.size() == 1);
  node.world.loop.advance(24h);
  CHECK(node.runs.size() == 5);
  CHECK(script.starts[2] - script.starts[1] == 6h);
}

TEST_CASE("a silent probe fails at its deadline and what it says later is not heard") {
  fakes::Script script;
  script.takes = 900ms;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  node.world.loop.advance(3s);
  REQUIRE(node.runs.size() >= 2);
  CHECK(node.runs[0].outcome.reason == Reason::read_timeout);
  CHECK(node.runs[0].outcome.text == "no answer within 500ms");
  CHECK(ms(node.runs[0].outcome.took) >= 500ms);
  CHECK(ms(node.runs[0].outcome.took) <= 510ms);
  for (const probe::Run& run : node.runs) CHECK_FALSE(run.outcome.up);
  CHECK(script.most_alive == 1);
}

TEST_CASE("a probe that answers twice is heard once") {
  fakes::Script script;
  script.answers_twice = true;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  node.world.loop.advance(10s);
  CHECK(node.runs.size() == 10);
  CHECK(node.schedule.status("order", "http")->failures == 0);
}

TEST_CASE("runs that outlast the interval are skipped and counted, never doubled") {
  fakes::Script script;
  script.takes = 2500ms;
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.timeout = 5s;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(30s);
  CHECK(script.most_alive == 1);
  CHECK(script.starts.size() == 10);
  CHECK(node.schedule.status("order", "http")->overruns == 20);
}

TEST_CASE("a hung service with timeout equal to interval overruns nothing") {
  fakes::Script script;
  script.outcome.reset();
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.timeout = 1s;
  spec.fast_interval = 1s;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(20s);
  CHECK(script.starts.size() == 20);
  CHECK(node.schedule.status("order", "http")->overruns == 0);
  REQUIRE(node.changes.size() == 1);
  CHECK(node.changes[0].to == Health::down);
}

TEST_CASE("while a change is pending runs come at the fast interval, then back on the same grid") {
  fakes::Script script;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  node.world.loop.advance(2s);
  const base::Instant before = script.starts.back();
  script.outcome = Outcome::failure(Reason::refused, "refused");
  node.world.loop.advance(4s);
  REQUIRE(node.changes.size() == 2);
  CHECK(node.changes[1].from == Health::up);
  CHECK(node.changes[1].to == Health::down);
  CHECK(node.changes[1].reason == Reason::refused);
  CHECK(node.changes[1].text == "refused");
  // Failures at +1 s, +1.25 s and +1.5 s; then the grid: +2 s, +3 s, +4 s.
  std::vector<std::chrono::milliseconds> offsets;
  for (const base::Instant t : script.starts)
    if (t > before) offsets.push_back(ms(t - before));
  CHECK(offsets == std::vector<std::chrono::milliseconds>{1000ms, 1250ms, 1500ms, 2000ms, 3000ms, 4000ms});
}

TEST_CASE("jumps of the wall clock move samples and nothing else") {
  fakes::Script script;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  node.world.loop.advance(10s);
  node.world.loop.jump_wall(-3'600'000ms);
  node.world.loop.advance(10s);
  node.world.loop.jump_wall(7'200'000ms);
  node.world.loop.advance(10s);
  REQUIRE(script.starts.size() == 30);
  for (std::size_t i = 1; i < script.starts.size(); ++i) CHECK(script.starts[i] - script.starts[i - 1] == 1s);
  CHECK(node.runs.back().started - node.runs.front().started == 29s + 3600s);
}

TEST_CASE("a run whose clock is set in its middle began by the clock that holds at its end") {
  fakes::Script script;
  script.takes = 400ms;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  node.world.loop.advance(600ms);
  REQUIRE(script.starts.size() == 1);
  REQUIRE(node.runs.empty());
  node.world.loop.jump_wall(-3'600'000ms);
  node.world.loop.advance(1s);
  REQUIRE(node.runs.size() == 1);
  CHECK(node.world.loop.wall_now() - node.runs[0].started == node.world.loop.now() - script.starts[0]);
}

TEST_CASE("a replaced configuration keeps what is unchanged and forgets the rest") {
  fakes::Script script;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  script.outcome = Outcome::failure(Reason::refused, "refused");
  node.world.loop.advance(5s);
  REQUIRE(node.schedule.service_health("order") == Health::down);
  const auto runs_before = node.schedule.status("order", "http")->runs;

  SUBCASE("the same settings") {
    node.schedule.replace(list(spec_of(script, "order", "http")));
    CHECK(node.schedule.status("order", "http")->health == Health::down);
    CHECK(node.schedule.status("order", "http")->runs == runs_before);
  }
  SUBCASE("another interval is no other probe") {
    probe::Spec spec = spec_of(script, "order", "http");
    spec.interval = 2s;
    node.schedule.replace(list(std::move(spec)));
    CHECK(node.schedule.status("order", "http")->health == Health::down);
    const std::size_t before = script.starts.size();
    node.world.loop.advance(20s);
    CHECK(script.starts.size() - before == 10);
  }
  SUBCASE("other settings") {
    probe::Spec spec = spec_of(script, "order", "http");
    spec.settings_text = "b";
    node.schedule.replace(list(std::move(spec)));
    CHECK(node.schedule.status("order", "http")->health == Health::unknown);
    CHECK(node.schedule.status("order", "http")->runs == 0);
  }
  SUBCASE("a probe that is gone runs no more") {
    node.schedule.replace({});
    const std::size_t before = script.starts.size();
    node.world.loop.advance(20s);
    CHECK(script.starts.size() == before);
    CHECK(script.alive == 0);
    CHECK(node.schedule.status("order", "http") == nullptr);
    CHECK(node.schedule.service_health("order") == Health::unknown);
    CHECK(node.world.loop.timers() == 0);
  }
}

TEST_CASE("a configuration may be replaced from inside a run's own report") {
  fakes::Script first, second;
  fakes::ProbeWorld world;
  probe::Schedule* self = nullptr;
  int changes = 0;
  probe::Schedule schedule("node-1", world.context,
                           {[&](const probe::Run& run, const probe::Status&) {
                              if (run.spec->name == "first") self->replace(list(spec_of(second, "order", "second")));
                            },
                            [&](const model::HealthChange&, const probe::Run&) { ++changes; }});
  self = &schedule;
  schedule.replace(list(spec_of(first, "order", "first")));
  world.loop.advance(5s);
  CHECK(first.starts.size() == 1);
  CHECK(first.alive == 0);
  CHECK(second.starts.size() >= 3);
  CHECK(changes == 1);  // of the second; the first was gone before its change could be told
}

TEST_CASE("a deadline that the agent itself notices late is not the service's failure") {
  // A loop that slept through the deadline, as after a suspend: its first turn, due after a quarter of the half second,
  // comes two seconds after all of it.
  struct SleepyLoop final : loop::Scheduler {
    base::Instant now() const override { return inner.now() + slept; }
    base::WallTime wall_now() const override { return inner.wall_now(); }
    loop::Handle at(base::Instant when, loop::Task task) override { return inner.at(when - slept, std::move(task)); }
    void post(loop::Task task) override { inner.post(std::move(task)); }
    fakes::FakeLoop inner;
    base::Duration stalled() const override { return stood_still; }
    base::Duration slept{}, stood_still{};
  };
  SleepyLoop sleepy;
  fakes::ProbeWorld world;
  const probe::Context context{sleepy,     world.http,    world.dialer,     world.resolver,     world.spawner,
                               world.pids, world.systemd, world.heartbeats, world.blocking_pool};
  fakes::Script script;
  std::vector<Outcome> outcomes;
  probe::Schedule schedule("node-1", context,
                           {[&](const probe::Run& run, const probe::Status&) { outcomes.push_back(run.outcome); }, {}});
  probe::Spec spec = spec_of(script, "order", "http");
  spec.interval = 1h;  // after the first run, runs come when the test asks for them
  schedule.replace(list(std::move(spec)));
  sleepy.inner.advance(5s);
  REQUIRE(outcomes.size() == 1);
  REQUIRE(schedule.service_health("order") == Health::up);
  script.outcome.reset();
  schedule.trigger("order", "http");
  sleepy.slept = 2375ms;
  sleepy.inner.advance(520ms);
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[1].reason == Reason::agent_overloaded);
  CHECK(outcomes[1].text.find("the agent itself noticed the deadline 2s late") == 0);
  CHECK(schedule.status("order", "http")->consecutive_failures == 0);

  // On time at the deadline, but away for a quarter of the half second before it: too little was left.
  schedule.trigger("order", "http");
  sleepy.stood_still += 125ms;
  sleepy.inner.advance(520ms);
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[2].reason == Reason::agent_overloaded);
  CHECK(outcomes[2].text ==
        "the agent itself stood still for 125ms of 505ms (starved or suspended); this run says nothing about a script");

  // What the service itself said holds, however late it was heard.
  script.outcome = Outcome::failure(Reason::status_mismatch, "status 500, expected 2xx");
  schedule.trigger("order", "http");
  sleepy.stood_still += 10s;
  sleepy.inner.advance(1ms);
  REQUIRE(outcomes.size() == 4);
  CHECK(outcomes[3].reason == Reason::status_mismatch);

  // So does silence while the agent was there.
  script.outcome.reset();
  schedule.trigger("order", "http");
  sleepy.stood_still += 124ms;
  sleepy.inner.advance(520ms);
  REQUIRE(outcomes.size() == 5);
  CHECK(outcomes[4].reason == Reason::read_timeout);
}

TEST_CASE("what was found before stays known while the agent cannot look") {
  fakes::Script script;
  Node node;
  node.schedule.replace(list(spec_of(script, "order", "http")));
  const probe::Status& status = *node.schedule.status("order", "http");
  script.outcome = Outcome::failure(Reason::agent_overloaded, "too many open files");
  node.world.loop.advance(3s);
  REQUIRE(status.runs >= 2);
  CHECK(status.verdict() == nullptr);
  script.outcome = Outcome::failure(Reason::refused, "refused");
  node.world.loop.advance(1s);
  CHECK(status.verdict() == &*status.last);
  const base::WallTime found = status.last->started;
  script.outcome = Outcome::failure(Reason::agent_overloaded, "too many open files");
  node.world.loop.advance(3s);
  CHECK(status.last->outcome.reason == Reason::agent_overloaded);
  REQUIRE(status.verdict() != nullptr);
  CHECK(status.verdict()->outcome.reason == Reason::refused);
  CHECK(status.verdict()->started >= found);
  script.outcome = Outcome::success("ok");
  node.world.loop.advance(1s);
  CHECK(status.verdict() == &*status.last);
}

TEST_CASE("what a server says when it has lost its patience with an agent that stood still is no verdict") {
  fakes::Script script;
  script.takes = 40ms;
  script.outcome = Outcome::failure(Reason::status_mismatch, "421 4.4.2 timeout exceeded");
  Node node;
  probe::Spec spec = spec_of(script, "order", "smtp");
  spec.interval = 1h;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(5s);
  REQUIRE(node.runs.size() == 1);
  CHECK(node.runs[0].outcome.reason == Reason::status_mismatch);
  for (const auto& [stopped, want] :
       {std::pair<base::Duration, Reason>{4s, Reason::agent_overloaded}, {400ms, Reason::status_mismatch}}) {
    node.schedule.trigger("order", "smtp");
    node.world.loop.advance(10ms);
    node.world.loop.stand_still(stopped);
    script.outcome->reason = Reason::status_mismatch;
    node.world.loop.advance(1ms);
    CHECK(node.runs.back().outcome.reason == want);
  }
}

TEST_CASE("a service that answered took no longer because the agent stood still") {
  fakes::Script script;
  script.takes = 40ms;
  script.outcome = Outcome::success("200");
  script.outcome->measurements = {{"probe_http_duration_seconds", 7.03, {{"phase", "processing"}}},
                                  {"probe_http_content_length", 7, {}}};
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.interval = 1h;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(5s);
  REQUIRE(node.runs.size() == 1);
  node.schedule.trigger("order", "http");
  node.world.loop.advance(10ms);
  node.world.loop.stand_still(7s);
  node.world.loop.advance(1ms);
  REQUIRE(node.runs.size() == 2);
  const Outcome& found = node.runs[1].outcome;
  CHECK(found.up);
  CHECK(ms(found.took) <= 40ms);
  CHECK(found.measurements[0].value <= 0.04);
  CHECK(found.measurements[1].value == 7);
}

TEST_CASE("jitter puts each run off within its part of the interval, and nothing drifts") {
  fakes::Script script;
  Node node;
  probe::Spec spec = spec_of(script, "order", "http");
  spec.jitter = 0.2;
  node.schedule.replace(list(std::move(spec)));
  node.world.loop.advance(1000s);
  CHECK(script.starts.size() >= 999);
  CHECK(script.starts.size() <= 1000);
  base::Duration least = 1s, most = 0s;
  for (std::size_t i = 2; i < script.starts.size(); ++i) {
    // Any one of them as the grid's origin: all others lie within 0.2 s around its multiples.
    const base::Duration off = (script.starts[i] - script.starts[1] + 500ms) % base::Duration(1s) - 500ms;
    least = std::min(least, off);
    most = std::max(most, off);
  }
  CHECK(most - least < 200ms);
  CHECK(most - least > 150ms);
  CHECK(node.schedule.status("order", "http")->overruns == 0);
}
