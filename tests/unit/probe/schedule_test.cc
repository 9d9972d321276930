#include "probe/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fakes/probe_world.h"
#include "fakes/scripted_probe.h"

namespace {

using namespace std::chrono_literals;
using model::Health;
using model::Outcome;
using model::Reason;

const probe::Type kScripted{"scripted", "", "", nullptr, nullptr, {}, nullptr, Reason::read_timeout, 0};
const probe::Type kRationed{"rationed", "", "", nullptr, nullptr, {}, nullptr, Reason::exec_timeout, 2};

probe::Spec spec_of(fakes::Script& script, const std::string& service, const std::string& name) {
  probe::Spec spec;
  spec.service = service;
  spec.name = name;
  spec.type = &kScripted;
  spec.interval = 1s;
  spec.timeout = 500ms;
  spec.settings = std::make_unique<fakes::ScriptedSettings>(script);
  spec.settings_text = "a";
  return spec;
}

template <typename... Specs>
std::vector<probe::Spec> list(Specs... specs) {
  std::vector<probe::Spec> out;
  (out.push_back(std::move(specs)), ...);
  return out;
}

// A schedule that writes down what it tells.
struct Node {
  // The name gives order/http a phase of half a second: it is not due where the fake clock begins.
  explicit Node(const std::string& name = "node-2")
      : schedule(name, world.context,
                 {[this](const probe::Run& run, const probe::Status&) { runs.push_back(run); },
                  [this](const model::HealthChange& change, const probe::Run&) { changes.push_back(change); }}) {}
  fakes::ProbeWorld world;
  std::vector<probe::Run> runs;
  std::vector<model::HealthChange> changes;
  probe::Schedule schedule;
};

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

TEST_CASE("a type with a limit runs that many at a time, the others in their turn") {
  std::vector<std::unique_ptr<fakes::Script>> scripts;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 5; ++i) {
    scripts.push_back(std::make_unique<fakes::Script>());
    scripts.back()->takes = 300ms;
    specs.push_back(spec_of(*scripts.back(), "order", "exec" + std::to_string(i)));
    specs.back().type = &kRationed;
    specs.back().interval = 1h;
  }
  Node node;
  node.schedule.replace(std::move(specs));
  node.world.loop.advance(1min);
  const auto started_at = [&](base::Instant t) {
    int n = 0;
    for (const auto& script : scripts) n += script->starts.back() == t;
    return n;
  };
  const base::Instant t0 = node.world.loop.now();
  node.schedule.trigger_service("order");
  node.world.loop.advance(100ms);
  CHECK(started_at(t0) == 2);
  node.schedule.trigger_service("order");  // joins: those that wait are not queued twice
  node.world.loop.advance(5s);
  CHECK(started_at(t0 + 300ms) == 2);
  CHECK(started_at(t0 + 600ms) == 1);
  CHECK(node.runs.back().lateness == 600ms);
}

TEST_CASE("over all types as many runs go on as the limit says, and who waits does not hold up another type") {
  std::vector<std::unique_ptr<fakes::Script>> scripts;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 6; ++i) {
    scripts.push_back(std::make_unique<fakes::Script>());
    scripts.back()->takes = 300ms;
    specs.push_back(spec_of(*scripts.back(), "order", "probe" + std::to_string(i)));
    if (i < 3) specs.back().type = &kRationed;
    specs.back().interval = 1h;
  }
  Node node;
  node.schedule.limit({4, {{"rationed", 1}}});
  node.schedule.replace(std::move(specs));
  node.world.loop.advance(1min);
  const base::Instant t0 = node.world.loop.now();
  node.schedule.trigger_service("order");
  const auto started_at = [&](base::Duration after) {
    std::string who;
    for (std::size_t i = 0; i < scripts.size(); ++i)
      if (scripts[i]->starts.back() == t0 + after) who += std::to_string(i);
    return who;
  };
  node.world.loop.advance(100ms);
  CHECK(started_at(0ms) == "0345");  // one of three of the rationed type, and all of the other
  CHECK(node.schedule.load().running == 4);
  CHECK(node.schedule.load().waiting == 2);
  node.world.loop.advance(5s);
  CHECK(started_at(300ms) == "1");
  CHECK(started_at(600ms) == "2");
  CHECK(node.schedule.load().running == 0);
  CHECK(node.schedule.load().waiting == 0);

  // One that is taken away while it runs or waits leaves its place.
  node.schedule.limit({1, {}});
  node.schedule.trigger_service("order");
  CHECK(node.schedule.load().running == 1);
  CHECK(node.schedule.load().waiting == 5);
  node.schedule.replace({});
  node.world.loop.advance(1s);
  CHECK(node.schedule.load().running == 0);
  CHECK(node.schedule.load().waiting == 0);
}

TEST_CASE(
    "a thousand targets that never answer hold no more runs than allowed, and those that answer have their turn") {
  std::vector<std::unique_ptr<fakes::Script>> scripts;
  std::vector<probe::Spec> specs;
  for (int i = 0; i < 1010; ++i) {
    scripts.push_back(std::make_unique<fakes::Script>());
    const bool answers = i % 101 == 0;
    scripts.back()->takes = answers ? base::Millis{1} : base::Millis{3'600'000};
    specs.push_back(spec_of(*scripts.back(), "order", "probe" + std::to_string(i)));
    specs.back().interval = 10s;
  }
  Node node;
  node.schedule.limit({100, {}});
  node.schedule.replace(std::move(specs));
  std::size_t most = 0;
  for (int i = 0; i < 600; ++i) {
    node.world.loop.advance(100ms);
    most = std::max(most, node.schedule.load().running);
  }
  CHECK(most <= 100);
  CHECK(most > 20);
  for (std::size_t i = 0; i < scripts.size(); i += 101) CHECK(scripts[i]->starts.size() >= 6);
}

TEST_CASE("limits by type name types that exist") {
  config::Errors errors;
  config::ProbesAtOnce settings;
  settings.by_type = config::Node::parse("{http: 20, exce: 2, tcp: 0}", "f.yml", errors);
  const probe::Limits limits = probe::parse_limits(settings, 512, errors);
  CHECK(limits.at_once == 512);
  CHECK(limits.by_type.at("http") == 20);
  CHECK(errors.text() ==
        "f.yml:1:12: global.probes_at_once.by_type.exce: there is no such probe type; did you mean 'exec'?\n"
        "f.yml:1:26: global.probes_at_once.by_type.tcp: expected a number of runs, at least 1, got '0'\n");
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
  const probe::Context context{sleepy,     world.http,    world.dialer,     world.resolver,  world.spawner,
                               world.pids, world.systemd, world.heartbeats, world.slow_calls};
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
