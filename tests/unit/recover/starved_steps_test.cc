// Steps for which the agent itself has no descriptor or task: they wait, and what nobody tried costs no attempt.
#include <doctest/doctest.h>

#include "fakes/recovery_site.h"

using model::Health;
using recover::GuardName;
using std::chrono::seconds;

namespace {

// mild, which heals nothing but moves traffic → restart, verified → second, verified.
struct Site : fakes::RecoverySite {
  fakes::ActionScript drain{.takes = seconds{1}, .heals = false, .traffic = true}, second{.takes = seconds{1}};

  Site() {
    auto spec = plan();
    spec->steps.insert(spec->steps.begin(), fakes::scripted_step("drain", drain));
    spec->steps.push_back(fakes::scripted_step("second", second));
    for (auto& step : spec->steps) step.timeout = base::Millis{60'000};
    use(std::move(spec));
    alert("ServiceDown");
    loop.run_due();
  }
  void starve() {
    service_view.held = {{"agent_overloaded", "the agent can open no descriptor", loop.now() + seconds{1}}};
  }
  void feed() { service_view.held.clear(); }
  void tick(int times) {
    for (int i = 0; i < times; ++i) {
      loop.advance(seconds{1});
      if (service_view.held.empty()) dispatcher->on_run("order", "http", false);
      loop.run_due();
    }
  }
};

}  // namespace

TEST_CASE("a step of a run under way waits while the agent lacks descriptors, and goes on when it has them") {
  Site f;
  REQUIRE(f.drain.started.size() == 1);
  f.starve();
  f.tick(20);
  CHECK(f.restart.started.empty());
  CHECK(f.second.started.empty());
  CHECK(f.status().state == model::PlanState::holding);
  CHECK(f.status().reason == GuardName::agent_overloaded);
  for (const std::string& line : f.said) CHECK(line.find("refused") == std::string::npos);
  f.feed();
  f.tick(3);
  CHECK(f.restart.started.size() == 1);
  CHECK(f.dispatcher->reports().at(0).actions.size() >= 1);
  CHECK(f.status().attempts_left == 2);
}

TEST_CASE("an action that could not be started for want of the agent's own was not tried: it comes again") {
  Site f;
  f.restart.result = {model::ActionStatus::failed, "command /usr/bin/x: cannot start: Too many open files", true};
  f.tick(3);
  f.loop.advance(std::chrono::milliseconds{100});
  CHECK(f.restart.started.size() >= 1);
  CHECK(f.second.started.empty());
  CHECK(f.status().reason == GuardName::agent_overloaded);
  CHECK(f.dispatcher->reports().at(0).reason ==
        "agent_overloaded: command /usr/bin/x: cannot start: Too many open files");
  f.restart.result = {model::ActionStatus::ok, "done"};
  f.tick(4);
  CHECK(f.second.started.empty());
  const model::RecoveryReport report = f.dispatcher->reports().at(0);
  REQUIRE(report.actions.size() == 2);  // the drain, and one restart
  CHECK(report.actions[1].result == model::ActionStatus::ok);
}

TEST_CASE("what the agent lacks for as long as the step may take ends the run, with one text and without the attempt") {
  Site f;
  f.starve();
  f.tick(70);
  CHECK(f.restart.started.empty());
  CHECK(f.second.started.empty());
  const model::RecoveryReport report = f.dispatcher->reports().back();
  CHECK(report.state == model::RecoveryState::aborted);
  CHECK(report.reason.find("agent_overloaded: the agent can open no descriptor") == 0);
  CHECK(report.reason.find("so for 1m, and nothing more is tried") != std::string::npos);
  CHECK(report.actions.size() == 1);
  CHECK(f.status().attempts_left == 3);
  // It begins anew when the agent can.
  f.feed();
  f.tick(5);
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("an attempt that did something is spent") {
  Site f;
  f.tick(2);
  REQUIRE(f.restart.started.size() == 1);
  f.starve();
  f.tick(120);
  CHECK(f.second.started.empty());
  CHECK(f.status().attempts_left == 2);
}
