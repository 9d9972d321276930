// Who tells people of a group that is beyond its panic threshold.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/fleet.h"
#include "fakes/fake_store.h"

using namespace std::chrono_literals;
using model::Health;

namespace {

struct Agent {
  Agent(fakes::FakeLoop& l, fakes::StoreServer& server, const std::string& name) : loop(l) {
    auto own = std::make_unique<fakes::FakeStore>(server);
    store = own.get();
    fleet = std::make_unique<cluster::Fleet>(
        loop, [this] { return cluster::BootTime(loop.now().time_since_epoch()); },
        base::Random(std::hash<std::string>{}(name)), std::move(own), cluster::FleetOptions{name, 12s},
        cluster::FleetCallbacks{[] {}, [](const std::string&) {}});
    fleet->replace({{"order", {"g", 1, {}, 50}}});
    is(Health::up);
  }
  void is(Health health) { fleet->on_health("order", health, loop.wall_now()); }
  std::optional<cluster::GroupFault> fault() const { return fleet->fault("order"); }
  bool tells() const { return fault() && fault()->tells; }

  fakes::FakeLoop& loop;
  fakes::FakeStore* store = nullptr;
  std::unique_ptr<cluster::Fleet> fleet;
};

struct World {
  World() {
    for (int i = 1; i <= 5; ++i) all.push_back(std::make_unique<Agent>(loop, server, "node" + std::to_string(i)));
    loop.advance(5s);
  }
  Agent& operator[](int i) { return *all.at(static_cast<std::size_t>(i - 1)); }
  // Who has told people at any time, in the order of nodes.
  int telling() {
    int count = 0;
    for (const auto& agent : all) count += agent && agent->tells() ? 1 : 0;
    return count;
  }
  // The most at a time, over `time`.
  int most_telling(base::Duration time) {
    int most = 0;
    for (const base::Instant end = loop.now() + time; loop.now() < end; loop.advance(100ms))
      most = std::max(most, telling());
    return most;
  }

  fakes::FakeLoop loop;
  fakes::StoreServer server{loop};
  std::vector<std::unique_ptr<Agent>> all;
};

}  // namespace

TEST_CASE("below the threshold every fault is its own") {
  World world;
  world[1].is(Health::down);
  world[2].is(Health::down);
  world.loop.advance(10s);
  CHECK_FALSE(world[1].fault());
}

TEST_CASE("in a panic one agent tells people, and all others know who") {
  World world;
  for (const int i : {1, 3, 4, 5}) world[i].is(Health::down);
  CHECK(world.most_telling(60s) == 1);
  CHECK(world.telling() == 1);
  CHECK_FALSE(world[2].fault());  // it is up
  std::optional<cluster::Identity> pager;
  for (const int i : {1, 3, 4, 5}) {
    REQUIRE(world[i].fault());
    CHECK(world[i].fault()->text ==
          "4 of 5 members of g are down, the panic threshold is 50%: a restart would not help");
    REQUIRE(world[i].fault()->pager);
    if (pager) CHECK(*world[i].fault()->pager == *pager);
    pager = world[i].fault()->pager;
    CHECK(world[i].tells() == (pager->node == "node" + std::to_string(i)));
  }
  CHECK(world[2].fleet->view().groups.at(0).panic.starts_with("4 of 5 members"));
  CHECK(world[2].fleet->view().groups.at(0).group.pager->who == *pager);

  SUBCASE("when that agent is gone, another one does") {
    for (auto& agent : world.all)
      if (agent->tells()) agent.reset();
    world.loop.advance(12s);
    CHECK(world.most_telling(60s) == 1);
    CHECK(world.telling() == 1);
  }
  SUBCASE("when its service is well and the group is not, another one does") {
    for (auto& agent : world.all)
      if (agent->tells()) agent->is(Health::up);
    CHECK(world.most_telling(30s) == 1);
    CHECK(world.telling() == 1);
  }
  SUBCASE("when the panic is over, none does, and the next one begins again") {
    for (const int i : {1, 3}) world[i].is(Health::up);
    world.loop.advance(5s);
    CHECK(world.telling() == 0);
    CHECK_FALSE(world[4].fault());
    CHECK_FALSE(world.server.find("g/pager"));
    world[1].is(Health::down);
    CHECK(world.most_telling(30s) == 1);
    CHECK(world.telling() == 1);
  }
  SUBCASE("when that agent has no service in the group any more, another one does at once") {
    for (auto& agent : world.all)
      if (agent->tells()) {
        agent->fleet->replace({});
        break;
      }
    world.loop.advance(5s);
    CHECK(world.telling() == 1);
  }
  SUBCASE("an agent that the store does not answer knows nothing of it, and tells people itself") {
    world[5].store->cut_off = true;
    world.loop.advance(20s);
    CHECK_FALSE(world[5].fault());
  }
}

TEST_CASE("who has told people of a fault already, tells them of the panic") {
  for (const int first : {1, 4, 5}) {
    World world;
    world[first].is(Health::down);
    world[first].fleet->told("order", true);
    world.loop.advance(5s);
    for (const int i : {1, 3, 4, 5}) world[i].is(Health::down);
    world.loop.advance(10s);
    CHECK(world.telling() == 1);
    CHECK(world[first].tells());
  }
}

TEST_CASE("when no agent is known to tell people in time, each tells people of its own") {
  fakes::FakeLoop loop;
  fakes::StoreServer server(loop);
  fakes::FakeStore good(server), bad(server);
  bad.cut_off = true;
  base::Random random(1);
  const auto clock = [&loop] { return cluster::BootTime(loop.now().time_since_epoch()); };
  cluster::Lease lease(loop, clock, good, 12s, {[] {}, [](const std::string&) {}, [] {}});
  lease.begin("");
  loop.advance(1s);
  REQUIRE(lease.holds());
  cluster::PanicPager pager(loop, random, bad, lease, "g");
  const cluster::Identity self{"node1", "order"};
  const cluster::Judgement panic{cluster::Brake::panic, false, "3 of 4 are down"};
  cluster::Group group;
  pager.look(panic, group, self, false);
  loop.advance(cluster::PanicPager::kPatience - 1s);
  REQUIRE(pager.fault(self));
  CHECK_FALSE(pager.fault(self)->tells);
  loop.advance(1s);
  CHECK(pager.fault(self)->tells);

  group.pager = cluster::Pager{{"node2", "order"}, {}, "theirs"};
  pager.look(panic, group, self, false);
  CHECK_FALSE(pager.fault(self)->tells);
  group.pager.reset();
  pager.look(panic, group, self, false);
  CHECK_FALSE(pager.fault(self)->tells);  // another one takes over
  loop.advance(cluster::PanicPager::kPatience);
  CHECK(pager.fault(self)->tells);
}
