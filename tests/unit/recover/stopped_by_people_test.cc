// What people have stopped, or taken out of a load balancer, is not fought: asked before a run begins, again and again
// while it waits, and before each later step.
#include <doctest/doctest.h>

#include "fakes/recovery_site.h"

using model::Health;
using recover::GuardName;
using std::chrono::seconds;
using Site = fakes::RecoverySite;

namespace {

const std::string kStopped = "container order-1 was stopped, not by fettle";

void tick(Site& f, int times) {
  for (int i = 0; i < times; ++i) {
    f.loop.advance(seconds{1});
    f.dispatcher->on_run("order", "http", false);
    f.loop.run_due();
  }
}

}  // namespace

TEST_CASE("a container that people have stopped is left alone until they start it") {
  Site f;
  f.restart.stopped = kStopped;
  f.use(f.plan());
  f.alert("ServiceDown");
  tick(f, 60);
  CHECK(f.restart.started.empty());
  CHECK(f.status().state == model::PlanState::blocked);
  CHECK(f.status().reason == GuardName::stopped_by_operator);
  CHECK(f.said == std::vector<std::string>{"order blocked stopped_by_operator", "report blocked"});
  CHECK(f.status().next.find(kStopped) != std::string::npos);
  // It runs again and is not well.
  f.restart.stopped.clear();
  tick(f, 15);
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a plan that itself stops what it works on takes nothing for people's stop") {
  Site f;
  f.restart.stopped = kStopped;
  f.restart.target = "swarm service order";
  fakes::ActionScript to_none{.target = "swarm service order", .stops = true};
  auto spec = f.plan();
  spec->steps.insert(spec->steps.begin(), fakes::scripted_step("scale to 0", to_none));
  f.use(std::move(spec));
  f.alert("ServiceDown");
  tick(f, 5);
  CHECK(to_none.started.size() == 1);
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a person starts the plan of what a person has stopped, and clean_stop: ignored fights it") {
  Site f;
  f.restart.stopped = kStopped;
  f.use(f.plan());
  f.alert("ServiceDown");
  tick(f, 3);
  f.dispatcher->recover("order", recover::Start::now, "", [](base::Result<std::string>) {});
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);

  Site other;
  other.restart.stopped = kStopped;
  auto spec = other.plan();
  spec->guards.respects_clean_stop = false;
  other.use(std::move(spec));
  other.alert("ServiceDown");
  tick(other, 3);
  CHECK(other.restart.started.size() == 1);
}

TEST_CASE("people stop it in the middle of a run: no later step starts it") {
  Site f;
  fakes::ActionScript second;
  auto spec = f.plan();
  spec->steps.push_back(fakes::scripted_step("second", second));
  f.use(std::move(spec));
  f.alert("ServiceDown");
  tick(f, 2);
  REQUIRE(f.restart.started.size() == 1);
  f.restart.stopped = kStopped;
  tick(f, 60);
  CHECK(second.started.empty());
}

TEST_CASE("a silent engine or load balancer holds nothing up for longer than systemd may") {
  Site f;
  f.use_traffic("haproxy: {socket: /run/none.sock, backend: order, server: a}");
  f.use(f.plan());
  f.alert("ServiceDown");
  f.loop.run_due();
  CHECK(f.restart.started.empty());  // the fake dialer never answers
  tick(f, 2);
  CHECK(f.restart.started.size() == 1);
}
