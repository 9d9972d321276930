#include "app/fleet_slots.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>

#include "fakes/fake_store.h"

using namespace std::chrono_literals;
using recover::GuardName;
using Kind = recover::SlotAnswer::Kind;

namespace {

// A node with two services in a group of two nodes, and one in none.
struct Node {
  Node(fakes::FakeLoop& l, fakes::StoreServer& server, const std::string& name) : loop(l) {
    auto own = std::make_unique<fakes::FakeStore>(server);
    store = own.get();
    fleet = std::make_unique<cluster::Fleet>(
        loop, [this] { return cluster::BootTime(loop.now().time_since_epoch()); }, base::Random(name.size()),
        std::move(own), cluster::FleetOptions{name, 12s, ""},
        cluster::FleetCallbacks{[this] { slots.fleet_changed(); }, [](const std::string&) {}});
    fleet->replace({{"order", {"g", 1, {}, 100}}, {"cart", {"g", 1, {}, 100}}});
    slots.use(fleet.get());
    slots.change(2);
    slots.on_free([this] { ++freed; });
  }
  void ask(const std::string& service) {
    answer.reset();
    handle = slots.acquire(
        {service, "r", 15s, loop.now() + 10s}, [this](const recover::SlotAnswer& a) { answer = a; },
        [this](const recover::Guard& why) { lost = why; });
    loop.advance(3s);
  }

  fakes::FakeLoop& loop;
  app::FleetSlots slots{loop};
  fakes::FakeStore* store = nullptr;
  std::unique_ptr<cluster::Fleet> fleet;
  std::optional<recover::SlotAnswer> answer;
  std::optional<recover::Guard> lost;
  loop::Handle handle;
  int freed = 0;
};

struct World {
  World() { loop.advance(3s); }
  fakes::FakeLoop loop;
  fakes::StoreServer server{loop};
  Node one{loop, server, "node1"}, two{loop, server, "node22"};
};

}  // namespace

TEST_CASE("a service in a group needs a slot of the node and one of the fleet, one in none only the node's") {
  World world;
  world.one.ask("order");
  REQUIRE(world.one.answer);
  CHECK(world.one.answer->kind == Kind::yes);
  CHECK(world.one.answer->fence > 0);
  world.two.ask("order");
  CHECK(world.two.answer->kind == Kind::no);
  CHECK(to_string(world.two.answer->guard) == "fleet_busy: 1 of 1 slots of g taken, by order on node1");
  world.two.slots.release("order");
  world.two.ask("web");
  CHECK(world.two.answer->kind == Kind::yes);
  CHECK(world.two.answer->fence == 0);
  // The other service of the same node has no slot beside it either.
  world.one.ask("cart");
  CHECK(world.one.answer->kind == Kind::no);
  world.one.slots.release("cart");
  world.one.slots.release("order");
  world.loop.advance(3s);
  world.two.ask("order");
  CHECK(world.two.answer->kind == Kind::yes);
}

TEST_CASE("what the node holds back does not ask the store") {
  World world;
  world.one.slots.change(1);
  world.one.ask("web");
  REQUIRE(world.one.answer->kind == Kind::yes);
  const int before = world.server.requests;
  auto second = world.one.slots.acquire({"order", "r", 15s, world.loop.now() + 10s},
                                        [&](const recover::SlotAnswer& a) { world.one.answer = a; }, {});
  world.loop.advance(10ms);
  CHECK(world.one.answer->kind == Kind::no);
  CHECK(world.one.answer->guard.name == GuardName::node_busy);
  CHECK(world.server.requests == before);
}

TEST_CASE("explain shows all brakes of the fleet, and only why when the store does not answer") {
  World world;
  std::string names;
  for (const recover::Guard& guard : world.one.slots.seen("order")) {
    CHECK(guard.open);
    names += std::string(to_string(guard.name)) + " ";
  }
  CHECK(names == "node_busy fleet_unknown fleet_panic fleet_busy fleet_min_healthy ");
  CHECK(world.one.slots.seen("web").size() == 1);
  world.server.down = true;
  world.loop.advance(20s);
  const auto guards = world.one.slots.seen("order");
  REQUIRE(guards.size() == 2);
  CHECK(guards[1].name == GuardName::fleet_unknown);
}

TEST_CASE("who waits hears that something is free, and who holds that it is lost") {
  World world;
  world.one.ask("order");
  const int before = world.two.freed;
  world.one.slots.release("order");
  world.loop.advance(2s);
  CHECK(world.two.freed > before);
  world.one.ask("order");
  world.server.down = true;
  world.loop.advance(10s);
  REQUIRE(world.one.lost);
  CHECK(world.one.lost->name == GuardName::fleet_unknown);
}

TEST_CASE("a fleet that is configured anew takes its slots along") {
  World world;
  world.one.ask("order");
  world.one.fleet->leave("the fleet is configured anew");
  world.one.slots.use(nullptr);
  world.one.fleet.reset();
  REQUIRE(world.one.lost);
  CHECK(world.one.lost->text == "the fleet is configured anew");
  CHECK(world.one.slots.seen("order").size() == 1);
  world.one.slots.release("order");
}
