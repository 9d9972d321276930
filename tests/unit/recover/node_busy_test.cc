// Several services of one node fall at once: no more plans act at a time than the node allows, and the others wait
// their turn without holding anything up.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "config/agent_config.h"
#include "fakes/recovery_site.h"

using model::Health;
using recover::GuardName;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// Three services with a plan each; the test decides how long an action takes and what it heals.
struct Node : fakes::RecoverySite {
  std::map<std::string, fakes::ActionScript> scripts;

  explicit Node(int at_once = 1) {
    limits.plans_at_once = at_once;
    for (const std::string& name : names) {
      service_view.health[name] = Health::down;
      scripts[name].takes = seconds{5};
    }
    start();
  }

  void use_all(model::RecoveryMode mode = model::RecoveryMode::enforce) {
    std::vector<std::unique_ptr<recover::PlanSpec>> plans;
    for (const std::string& name : names) {
      auto spec = plan(mode);
      spec->service = name;
      spec->unit = name + ".service";
      spec->depends_on.clear();
      spec->steps.clear();
      spec->steps.push_back(fakes::scripted_step("restart", scripts[name]));
      spec->steps.back().timeout = minutes{2};
      plans.push_back(std::move(spec));
    }
    dispatcher->replace(std::move(plans));
  }
  void fire(const std::string& service) {
    dispatcher->on_alert(fakes::transition("ServiceDown", service, loop.wall_now()));
  }
  // A probe of each service that fails, unless its action has run.
  void probe_all() {
    for (const std::string& name : names)
      dispatcher->on_run(name, "http", !scripts[name].started.empty() && state_of(name) == model::PlanState::verifying);
  }
  model::PlanState state_of(const std::string& service) const { return status_of(service).state; }
  recover::PlanStatus status_of(const std::string& service) const {
    const auto all = dispatcher->statuses();
    return *std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.service == service; });
  }
  int acting() const {
    const auto all = dispatcher->statuses();
    return static_cast<int>(std::count_if(all.begin(), all.end(), [](const auto& s) { return !s.recovery.empty(); }));
  }

  const std::vector<std::string> names{"cart", "order", "shop"};
};

}  // namespace

TEST_CASE("one plan acts at a time, all get their turn, and each is probed again before it acts") {
  Node f;
  f.use_all();
  for (const std::string& name : f.names) f.fire(name);
  f.loop.run_due();
  CHECK(f.state_of("cart") == model::PlanState::acting);
  CHECK(f.status_of("order").reason == GuardName::node_busy);
  CHECK(f.status_of("order").next ==
        "runs restart once node_busy allows it: cart is being recovered; at most 1 at a time");
  CHECK(f.service_view.probed.empty());
  for (int i = 0; i < 1000; ++i) {
    f.loop.advance(milliseconds{100});
    REQUIRE(f.acting() <= 1);
    if (i % 10 == 0) f.probe_all();
  }
  for (const std::string& name : f.names) {
    CAPTURE(name);
    CHECK(f.scripts[name].started.size() >= 1);
    if (name != "cart") CHECK(std::count(f.service_view.probed.begin(), f.service_view.probed.end(), name) >= 1);
  }
}

TEST_CASE("a service that came back while it waited is left alone") {
  Node f;
  f.use_all();
  f.fire("cart");
  f.fire("order");
  f.loop.run_due();
  f.service_view.health["order"] = Health::up;
  f.loop.advance(seconds{6});
  f.dispatcher->on_run("cart", "http", true);
  f.loop.run_due();
  CHECK(f.service_view.probed.back() == "order");
  f.dispatcher->on_run("order", "http", true);
  f.loop.advance(minutes{1});
  CHECK(f.scripts["order"].started.empty());
  CHECK(f.state_of("order") == model::PlanState::idle);
}

TEST_CASE("with two places a service stuck in its action delays neither another's recovery nor its probes") {
  Node f(2);
  f.scripts["cart"].takes = hours{5};
  f.use_all();
  f.fire("cart");
  f.loop.advance(seconds{1});
  const base::Instant before = f.loop.now();
  std::optional<base::Instant> acted;
  f.scripts["order"].on_start = [&] { acted = f.loop.now(); };
  f.fire("order");
  f.loop.advance(seconds{6});
  REQUIRE(acted.has_value());
  CHECK(*acted == before);
  CHECK(f.service_view.probed.back() == "order");  // its verification asks while cart hangs
  f.dispatcher->on_run("order", "http", true);
  f.loop.run_due();
  CHECK(f.state_of("cart") == model::PlanState::acting);
  CHECK(f.dispatcher->reports().at(0).service == "order");
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::recovered);
}

TEST_CASE("with one place a stuck action holds the next plan only until its own limit") {
  Node f;
  f.scripts["cart"].takes = hours{5};
  f.use_all();
  f.fire("cart");
  f.fire("order");
  for (int i = 0; i < 240 && f.scripts["order"].started.empty(); ++i) {
    f.loop.advance(seconds{1});
    f.probe_all();
  }
  CHECK(f.scripts["order"].started.size() == 1);
}

TEST_CASE("dry runs wait for the node as they would, and hold nobody up") {
  Node f;
  f.use_all(model::RecoveryMode::dry_run);
  for (const std::string& name : f.names) f.fire(name);
  f.loop.run_due();
  CHECK(f.acting() == 3);
}

TEST_CASE("by default one service that is stuck holds up nobody") {
  CHECK(recover::NodeLimits{}.plans_at_once >= 2);
  CHECK(recover::NodeLimits{}.plans_at_once == config::NodeRecovery{}.plans_at_once);
  CHECK(recover::NodeLimits{}.actions_per_hour == config::NodeRecovery{}.actions_per_hour);
}

TEST_CASE("a person is refused while the node is busy") {
  Node f;
  f.use_all();
  f.fire("cart");
  f.loop.run_due();
  std::string answer;
  f.dispatcher->recover("shop", recover::Start::now, "",
                        [&](base::Result<std::string> r) { answer = r ? *r : r.error().text; });
  f.loop.run_due();
  CHECK(answer == "shop is not recovered: node_busy: cart is being recovered; at most 1 at a time");
}

TEST_CASE("after a crash the run that was cut off keeps its place, whatever the order of the plans") {
  Node f;
  f.use_all();
  f.fire("shop");
  f.loop.run_due();
  f.fire("cart");
  f.loop.run_due();
  f.dispatcher.reset();
  f.start();
  f.use_all();  // cart comes first and its alert is remembered
  f.loop.run_due();
  CHECK(f.state_of("shop") == model::PlanState::verifying);
  f.loop.advance(seconds{2});
  f.dispatcher->on_run("cart", "http", false);
  f.loop.run_due();
  CHECK(f.status_of("cart").reason == GuardName::node_busy);
  CHECK(f.scripts["cart"].started.empty());
  f.dispatcher->on_run("shop", "http", true);
  f.loop.run_due();
  f.dispatcher->on_run("cart", "http", false);
  f.loop.run_due();
  CHECK(f.scripts["cart"].started.size() == 1);
}
