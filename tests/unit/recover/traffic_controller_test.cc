#include "recover/traffic/traffic_controller.h"
#include "loop/scheduler.h"

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_agent_checks.h"
#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"
#include "fakes/probe_world.h"

using model::Health;
using recover::ApplyResult;
using recover::DesiredState;
using recover::Flow;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

enum class Follows { commands, health };

// Load balancers by name, as a test sees them: what was applied to each, and what it will say next.
struct Balancers {
  std::map<std::string, std::vector<std::string>> applied;
  std::map<std::string, std::deque<ApplyResult>> next;  // "ok" when there is none
  std::map<std::string, bool> left_drained;
  bool can_forget = false;
  std::map<std::string, std::string> seen;  // what a look finds wrong
};

std::string show(const DesiredState& desired) {
  if (desired.flow == Flow::drained) return "drained";
  return std::string(model::to_string(desired.health)) + " " + std::to_string(desired.share);
}

struct FakeAdapter final : recover::Adapter {
  FakeAdapter(Balancers& b, std::string n, loop::Scheduler& s) : balancers(b), name(std::move(n)), scheduler(s) {}
  loop::Handle apply(const DesiredState& to, base::Instant, std::function<void(ApplyResult)> done) override {
    balancers.applied[name].push_back(show(to));
    ApplyResult says{model::ActionStatus::ok, name + " is " + show(to)};
    auto& next = balancers.next[name];
    if (!next.empty()) {
      says = next.front();
      next.pop_front();
    }
    return scheduler.after(milliseconds{10}, [done = std::move(done), says] { done(says); });
  }
  bool left_drained() const override { return balancers.left_drained[name]; }
  bool can_forget() const override { return balancers.can_forget; }
  loop::Handle look(base::Instant, std::function<void(std::string)> done) override {
    return scheduler.after(milliseconds{10}, [this, done = std::move(done)] { done(balancers.seen[name]); });
  }
  Balancers& balancers;
  std::string name;
  loop::Scheduler& scheduler;
};

struct FakePlace final : recover::TrafficPlace {
  FakePlace(Balancers& b, std::string n, Follows f) : balancers(b), name(std::move(n)), follows(f) {}
  std::unique_ptr<recover::Adapter> start(const recover::TrafficContext& context, const std::string&) const override {
    return std::make_unique<FakeAdapter>(balancers, name, context.scheduler);
  }
  bool follows_health() const override { return follows == Follows::health; }
  std::string text() const override { return name; }
  Balancers& balancers;
  std::string name;
  Follows follows;
};

// The traffic controller of a node with one service, order.
struct Site {
  void start(const std::vector<std::pair<std::string, Follows>>& places) {
    controller = std::make_unique<recover::TrafficController>(
        recover::TrafficContext{loop, systemd, spawner, dialer, agent_checks}, state);
    use(places);
  }
  void use(const std::vector<std::pair<std::string, Follows>>& places) {
    auto spec = std::make_unique<recover::TrafficSpec>();
    spec->service = "order";
    for (const auto& [name, follows] : places)
      spec->places.push_back(std::make_unique<FakePlace>(balancers, name, follows));
    std::vector<std::unique_ptr<const recover::TrafficSpec>> all;
    all.push_back(std::move(spec));
    controller->replace(std::move(all));
    loop.run_due();
  }
  // What the plan is told.
  std::string apply(Flow to, base::Millis slow_start = base::Millis{0}) {
    std::string said = "nothing";
    const auto handle = controller->apply(
        "order", {to, slow_start, loop.now() + seconds{60}},
        [&](const recover::ActionResult& r) { said = std::string(to_string(r.result)) + ": " + r.text; });
    loop.advance(milliseconds{100});
    return said;
  }
  void health(Health health, const std::string& text = "") {
    controller->on_health("order", health, text);
    loop.advance(milliseconds{100});
  }
  std::vector<std::string> take(const std::string& name) { return std::exchange(balancers.applied[name], {}); }
  std::string record() {
    const auto found = state.durable().find(state::Table::traffic);
    return found == state.durable().end() || found->second.empty() ? "" : found->second.begin()->second;
  }

  using Seen = std::vector<std::string>;
  fakes::FakeLoop loop;
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSpawner spawner{loop};
  fakes::FakeDialer dialer{loop};
  fakes::FakeAgentChecks agent_checks;
  fakes::FakeState state{loop};
  Balancers balancers;
  std::unique_ptr<recover::TrafficController> controller;
};
using Seen = Site::Seen;

}  // namespace

TEST_CASE("all places of a service are turned, and nothing is noted any more when all are back") {
  Site s;
  s.start({{"nginx", Follows::commands}, {"haproxy", Follows::commands}});
  CHECK(s.apply(Flow::drained) == "ok: nginx is drained; haproxy is drained");
  CHECK(s.record() == R"({"by_others":[],"drained":true,"slow_start_ms":0})");
  CHECK(s.controller->left_drained("order"));
  CHECK(s.apply(Flow::live) == "ok: nginx is up 100; haproxy is up 100");
  CHECK(s.record() == "");
  CHECK_FALSE(s.controller->left_drained("order"));
}

TEST_CASE("if one place cannot be drained, those that were are put back, and the reason is told") {
  Site s;
  s.start({{"nginx", Follows::commands}, {"haproxy", Follows::commands}});
  s.balancers.next["haproxy"] = {{model::ActionStatus::refused, "haproxy: the last server stays"}};
  CHECK(s.apply(Flow::drained) == "refused: haproxy: the last server stays");
  CHECK(s.take("nginx") == Seen{"drained", "up 100"});
  CHECK(s.take("haproxy") == Seen{"drained"});
  CHECK(s.record() == "");
  CHECK_FALSE(s.controller->left_drained("order"));
}

TEST_CASE("nothing is drained before it is durable") {
  Site s;
  s.start({{"nginx", Follows::commands}});
  s.state.failing = true;
  CHECK(s.apply(Flow::drained) == "failed: nothing was turned, as it could not be noted: no space left on device");
  CHECK(s.take("nginx") == Seen{});
  s.state.failing = false;
  s.state.on_durable = [&] {
    if (s.state.commits == 1) CHECK(s.take("nginx") == Seen{});
  };
  CHECK(s.apply(Flow::drained) == "ok: nginx is drained");
}

TEST_CASE("an undrain that fails leaves the service known as drained, and the next one mends it") {
  Site s;
  s.start({{"nginx", Follows::commands}});
  s.apply(Flow::drained);
  s.balancers.next["nginx"] = {{model::ActionStatus::failed, "nginx: no"}};
  CHECK(s.apply(Flow::live) == "failed: nginx: no");
  CHECK(s.controller->left_drained("order"));
  CHECK(s.apply(Flow::live) == "ok: nginx is up 100");
  CHECK_FALSE(s.controller->left_drained("order"));
}

TEST_CASE("what somebody else took out is not put back") {
  Site s;
  s.start({{"haproxy", Follows::commands}, {"nginx", Follows::commands}});
  s.balancers.next["haproxy"] = {{model::ActionStatus::ok, "haproxy is out already", true}};
  CHECK(s.apply(Flow::drained) == "ok: haproxy is out already; nginx is drained");
  CHECK(s.record() == R"({"by_others":["haproxy"],"drained":true,"slow_start_ms":0})");
  s.start({{"haproxy", Follows::commands}, {"nginx", Follows::commands}});  // also by the next agent
  s.take("haproxy");
  CHECK(s.apply(Flow::live) == "ok: haproxy stays out: it was not fettle that took it out; nginx is up 100");
  CHECK(s.take("haproxy") == Seen{});
  CHECK(s.record() == "");
}

TEST_CASE("a place that follows the health is turned with it, one that takes commands is not") {
  Site s;
  s.start({{"agent", Follows::health}, {"haproxy", Follows::commands}});
  CHECK(s.take("agent") == Seen{});  // unknown is not down, and not up
  s.health(Health::up);
  s.health(Health::down, "http: refused");
  s.health(Health::up);
  CHECK(s.take("agent") == Seen{"up 100", "down 100", "up 100"});
  CHECK(s.take("haproxy") == Seen{});
  s.apply(Flow::drained);
  s.health(Health::down);
  s.health(Health::up);
  CHECK(s.take("agent") == Seen{"drained"});
  s.apply(Flow::live);
  CHECK(s.take("agent") == Seen{"up 100"});
}

TEST_CASE("a place that could not follow is turned again until it does") {
  Site s;
  s.start({{"agent", Follows::health}});
  s.balancers.next["agent"] = {{model::ActionStatus::failed, "no"}, {model::ActionStatus::failed, "no"}};
  s.health(Health::up);
  CHECK(s.controller->statuses().at(0).troubles == Seen{"agent: no"});
  s.loop.advance(seconds{9});
  CHECK(s.take("agent") == Seen{"up 100"});
  s.loop.advance(seconds{20});
  CHECK(s.take("agent") == Seen{"up 100", "up 100"});
  CHECK(s.controller->statuses().at(0).troubles.empty());
  s.balancers.next["agent"] = {{model::ActionStatus::failed, "no"}};
  s.health(Health::down);
  s.health(Health::up);                        // is news: it does not wait
  CHECK(s.take("agent") == Seen{"down 100"});  // and the agent shows up still
}

TEST_CASE("a slow start gives the weight back in steps, and is over when all places show it") {
  Site s;
  s.start({{"nginx", Follows::commands}, {"agent", Follows::health}});
  s.health(Health::up);
  s.apply(Flow::drained);
  s.take("nginx");
  s.take("agent");
  CHECK(s.apply(Flow::live, seconds{40}) == "ok: nginx is up 10; agent is up 10; all of it after 40s");
  CHECK(s.record() == R"({"by_others":[],"drained":false,"slow_start_ms":40000})");
  CHECK_FALSE(s.controller->left_drained("order"));
  s.loop.advance(seconds{10});
  CHECK(s.take("nginx") == Seen{"up 10", "up 25"});
  s.loop.advance(seconds{31});
  CHECK(s.take("nginx") == Seen{"up 50", "up 75", "up 100"});
  CHECK(s.take("agent") == Seen{"up 10", "up 25", "up 50", "up 75", "up 100"});
  CHECK(s.record() == "");
}

TEST_CASE("a failure in a slow start takes it back to its first share, and it begins anew when the service is up") {
  Site s;
  s.start({{"nginx", Follows::commands}});
  s.health(Health::up);
  s.apply(Flow::drained);
  s.apply(Flow::live, seconds{40});
  s.loop.advance(seconds{20});
  s.take("nginx");
  s.health(Health::down);
  s.loop.advance(seconds{60});
  CHECK(s.take("nginx") == Seen{"up 10"});
  s.health(Health::up);
  s.loop.advance(seconds{41});
  CHECK(s.take("nginx") == Seen{"up 25", "up 50", "up 75", "up 100"});
}

TEST_CASE("a drain ends a slow start") {
  Site s;
  s.start({{"nginx", Follows::commands}});
  s.apply(Flow::drained);
  s.apply(Flow::live, seconds{40});
  s.take("nginx");
  s.apply(Flow::drained);
  s.loop.advance(seconds{60});
  CHECK(s.take("nginx") == Seen{"drained"});
}

TEST_CASE("an agent that dies leaves a record: the next one knows of the drain, and begins the slow start anew") {
  Site s;
  s.start({{"haproxy", Follows::commands}, {"agent", Follows::health}});
  s.apply(Flow::drained);
  s.take("agent");
  s.start({{"haproxy", Follows::commands}, {"agent", Follows::health}});
  s.loop.advance(seconds{1});
  CHECK(s.controller->left_drained("order"));
  CHECK(s.take("agent") == Seen{"drained"});  // said at once, and not "up" in between
  s.apply(Flow::live, seconds{40});
  s.loop.advance(seconds{20});
  s.take("haproxy");
  s.start({{"haproxy", Follows::commands}, {"agent", Follows::health}});
  s.loop.advance(seconds{41});
  CHECK_FALSE(s.controller->left_drained("order"));
  CHECK(s.take("haproxy") == Seen{"up 10", "up 25", "up 50", "up 75", "up 100"});
  CHECK(s.record() == "");
}

TEST_CASE("what the load balancer itself says of a drain counts without a record") {
  Site s;
  s.balancers.left_drained["nginx"] = true;
  s.start({{"nginx", Follows::commands}});
  CHECK(s.controller->left_drained("order"));
  s.apply(Flow::live);
  CHECK_FALSE(s.controller->left_drained("order"));
}

TEST_CASE("a reload in the middle of a turn waits for its end, and the drained service stays drained") {
  Site s;
  s.start({{"nginx", Follows::commands}});
  std::string said;
  const auto handle = s.controller->apply("order", {Flow::drained, base::Millis{0}, s.loop.now() + seconds{60}},
                                          [&](const recover::ActionResult& r) { said = to_string(r.result); });
  s.loop.run_due();
  s.use({{"agent", Follows::health}});
  CHECK(s.take("agent") == Seen{});
  s.loop.advance(seconds{1});
  CHECK(said == "ok");
  CHECK(s.take("agent") == Seen{"drained"});
}

TEST_CASE("a service without traffic is refused, and a dropped Handle is silent") {
  Site s;
  s.start({{"nginx", Follows::commands}});
  std::string said;
  const auto refused = s.controller->apply("cart", {}, [&](const recover::ActionResult& r) { said = r.text; });
  s.loop.run_due();
  CHECK(said == "no traffic was moved: cart has no `traffic` in the configuration");
  said.clear();
  s.controller
      ->apply("order", {Flow::drained, base::Millis{0}, s.loop.now() + seconds{60}},
              [&](const recover::ActionResult& r) { said = r.text; })
      .reset();
  s.loop.advance(seconds{1});
  CHECK(said == "");
  CHECK(s.take("nginx") == Seen{"drained"});
}

TEST_CASE(
    "a service that leaves the configuration while it is drained stays until it is back, and so does one that is out "
    "for its health") {
  Site s;
  s.start({{"nginx", Follows::health}});
  s.controller->on_health("order", Health::up, "");
  s.loop.advance(seconds{1});
  SUBCASE("drained") {
    s.apply(Flow::drained);
    s.controller->replace({});
    s.loop.advance(seconds{1});
    CHECK(s.controller->all_left_drained() == std::vector<std::string>{"order"});
    s.apply(Flow::live);
  }
  SUBCASE("drained, and down when it leaves and afterwards") {
    s.apply(Flow::drained);
    s.health(Health::down, "refused");
    s.controller->replace({});
    s.health(Health::down, "refused again");
    s.apply(Flow::live);
  }
  SUBCASE("out for its health, which nobody follows any more") {
    s.controller->on_health("order", Health::down, "refused");
    s.loop.advance(seconds{1});
    CHECK(s.balancers.applied["nginx"].back().starts_with("down"));
    s.controller->replace({});
    s.controller->on_health("order", Health::down, "refused by another probe");
  }
  s.loop.advance(seconds{1});
  CHECK(s.balancers.applied["nginx"].back() == "up 100");
  CHECK(s.controller->statuses().empty());
  CHECK(s.controller->all_left_drained().empty());
}

TEST_CASE(
    "an order that a later one took the place of is told so once, and not when its Handle was dropped meanwhile") {
  struct Row {
    const char* name;
    bool dropped;
    const char* want;
  };
  for (const Row& row : {Row{"held", false, "failed: a later command took its place;"}, Row{"dropped", true, ""}}) {
    CAPTURE(row.name);
    Site s;
    s.start({{"nginx", Follows::commands}});
    std::string said, later;
    auto first = s.controller->apply(
        "order", {Flow::drained, base::Millis{0}, s.loop.now() + seconds{60}},
        [&](const recover::ActionResult& r) { said += std::string(to_string(r.result)) + ": " + r.text + ";"; });
    const auto second = s.controller->apply("order", {Flow::live, base::Millis{0}, s.loop.now() + seconds{60}},
                                            [&](const recover::ActionResult& r) { later += to_string(r.result); });
    if (row.dropped) first.reset();  // in the turn in which it was superseded
    s.loop.advance(seconds{1});
    CHECK(said == row.want);
    CHECK(later == "ok");
  }
}

TEST_CASE("a drain is applied again where it can be lost, until the traffic is given back") {
  Site site;
  site.balancers.can_forget = true;
  site.start({{"haproxy", Follows::commands}});
  CHECK(site.apply(Flow::drained).starts_with("ok"));
  CHECK(site.take("haproxy") == Site::Seen{"drained"});
  site.loop.advance(seconds{5});
  CHECK(site.take("haproxy") == Site::Seen{"drained"});
  // It is just being restarted.
  site.balancers.next["haproxy"].push_back({model::ActionStatus::failed, "connection refused"});
  site.loop.advance(seconds{5});
  CHECK(site.take("haproxy") == Site::Seen{"drained"});
  REQUIRE(site.controller->statuses().size() == 1);
  CHECK(site.controller->statuses()[0].places[0].trouble == "connection refused");
  site.loop.advance(seconds{5});
  CHECK(site.take("haproxy") == Site::Seen{"drained"});
  CHECK(site.controller->statuses()[0].places[0].trouble == "");
  CHECK(site.apply(Flow::live).starts_with("ok"));
  CHECK(site.take("haproxy") == Site::Seen{"up 100"});
  site.loop.advance(seconds{30});
  CHECK(site.take("haproxy").empty());
}

TEST_CASE("a drain of people is not applied again") {
  Site site;
  site.balancers.can_forget = true;
  site.start({{"haproxy", Follows::commands}});
  site.balancers.next["haproxy"].push_back({model::ActionStatus::ok, "is out already", true, true});
  CHECK(site.apply(Flow::drained).starts_with("ok"));
  CHECK(site.take("haproxy") == Site::Seen{"drained"});
  site.loop.advance(seconds{30});
  CHECK(site.take("haproxy").empty());
}

TEST_CASE("what a look finds wrong with a place is its trouble, before anything has to be drained") {
  Site site;
  site.balancers.seen["nginx"] = "no server line has the address of self";
  site.start({{"nginx", Follows::commands}});
  CHECK(site.controller->statuses()[0].places[0].trouble == "");
  site.loop.advance(seconds{6});
  CHECK(site.controller->statuses()[0].places[0].trouble == "no server line has the address of self");
  site.balancers.seen["nginx"] = "";
  site.loop.advance(seconds{6});
  CHECK(site.controller->statuses()[0].places[0].trouble == "");
  CHECK(site.take("nginx").empty());
}
