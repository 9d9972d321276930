// What the judge of the simulation holds against an agent.
#include "simulation/judge.h"

#include <doctest/doctest.h>

namespace {

using namespace std::chrono_literals;
using cluster::Group;
using cluster::Member;
using model::Health;

// Five members that are up, of which the last holds the slot: four others are up, and four must be.
struct Fleet {
  Fleet() {
    for (int i = 0; i < 5; ++i) group.members.push_back({{fmt::format("n{}", i), "order"}, Health::up});
    group.holders.push_back({0, {"n4", "order"}});
    judge.look(now, settings, group);
    act();
    REQUIRE(judge.violations.empty());
  }
  void act() {
    judge.begins(now, settings, {"order", "n4", false, serves, deaf, &group});
    judge.ends("order", "n4");
  }
  void look_after(base::Duration time) {
    now += time;
    judge.look(now, settings, group);
  }

  const cluster::GroupSettings settings{"order", 1, {70, true}, 50};
  simulation::Judge judge;
  Group group;
  bool serves = true, deaf = false;
  base::Instant now{1'000s};
};

}  // namespace

TEST_CASE("a member that falls ill after the slot was given counts when it stays so") {
  Fleet fleet;
  fleet.group.members[0].health = Health::down;
  fleet.look_after(200ms);
  fleet.act();
  CHECK(fleet.judge.violations.empty());
  fleet.look_after(6s);
  fleet.act();
  CHECK(fleet.judge.violations.size() == 1);
}

// Seed 206 of 21 agents and 2,000 faults: an agent is killed in a restart, its lease ends, another one drains its
// service, and 200 ms later the first is back with a service that is down.
TEST_CASE("a member that comes after the slot was given, and is not up, counts when it stays so") {
  for (const Health health : {Health::down, Health::unknown}) {
    Fleet fleet;
    fleet.group.members.push_back({{"n5", "order"}, health});
    fleet.look_after(200ms);
    fleet.act();
    CHECK(fleet.judge.violations.empty());
    fleet.look_after(6s);
    fleet.act();
    REQUIRE(fleet.judge.violations.size() == 1);
    CHECK(fleet.judge.violations.front().find("4 others of order are up and 5 must be") != std::string::npos);
  }
}

// Seed 227: an agent stands still between the drain and the restart, and others go down.
TEST_CASE("the restart of a service that is drained takes nothing away any more") {
  Fleet fleet;
  fleet.group.members[0].health = Health::down;
  fleet.look_after(200ms);
  fleet.look_after(6s);
  fleet.serves = false;
  fleet.act();
  CHECK(fleet.judge.violations.empty());
}

TEST_CASE("one that comes and is up takes nothing away") {
  Fleet fleet;
  fleet.group.members.push_back({{"n5", "order"}, Health::up});
  fleet.look_after(6s);
  fleet.act();
  CHECK(fleet.judge.violations.empty());
}

TEST_CASE("two at once, without a slot, in a panic") {
  Fleet fleet;
  fleet.judge.begins(fleet.now, fleet.settings, {"order", "n4", false, true, false, &fleet.group});
  fleet.judge.begins(fleet.now, fleet.settings, {"order", "n3", false, true, false, &fleet.group});
  CHECK(fleet.judge.violations.size() == 3);  // beside n4, without a slot, three others up
  fleet.judge.ends("order", "n4"), fleet.judge.ends("order", "n3");
  for (int i = 0; i < 3; ++i) fleet.group.members[static_cast<std::size_t>(i)].health = Health::down;
  fleet.group.members[4].health = Health::down;
  fleet.look_after(1s);
  fleet.look_after(6s);
  fleet.act();
  REQUIRE(fleet.judge.violations.size() == 4);
  CHECK(fleet.judge.violations.back().find("in a panic") != std::string::npos);
}

// Seed 226: an agent is cut off between two steps of its run, and then the others go down.
TEST_CASE("an agent that is cut off acts by what it knew while its lease holds, and no longer") {
  Fleet fleet;
  fleet.deaf = true;
  for (Member& member : fleet.group.members) member.health = Health::down;
  fleet.look_after(1s);
  fleet.look_after(10s);
  fleet.act();
  CHECK(fleet.judge.violations.empty());
  fleet.look_after(5s);
  fleet.act();
  CHECK(fleet.judge.violations.size() == 1);
}
