#include "cluster/fleet.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fakes/fake_store.h"

using namespace std::chrono_literals;
using cluster::Answered;
using cluster::Brake;
using model::Health;

namespace {

constexpr base::Millis kTtl{12s};

struct Node {
  Node(fakes::FakeLoop& l, fakes::StoreServer& server, const std::string& name, const cluster::GroupSettings& group,
       const std::string& remembered = "")
      : loop(l) {
    auto own = std::make_unique<fakes::FakeStore>(server);
    store = own.get();
    fleet = std::make_unique<cluster::Fleet>(
        loop, [this] { return cluster::BootTime(loop.now().time_since_epoch()); },
        base::Random(std::hash<std::string>{}(name)), std::move(own), cluster::FleetOptions{name, kTtl, remembered},
        cluster::FleetCallbacks{[this] { ++changes; }, [this](const std::string& id) { lease = id; }});
    fleet->replace({{"order", group}});
    fleet->on_health("order", Health::up, loop.wall_now());
  }

  void ask(const std::string& recovery = "r", bool by_person = false, bool reboots = false) {
    reply.reset();
    lost.reset();
    slot = fleet->acquire(
        {"order", recovery, reboots, by_person, loop.now() + 10s},
        [this](cluster::SlotReply r) { reply = std::move(r); },
        [this](cluster::Judgement why) { lost = std::move(why); });
  }
  void release() {
    slot.reset();
    fleet->release("order");
  }
  bool has_slot() const { return reply && reply->kind == Answered::yes && !lost; }
  void is(Health health) { fleet->on_health("order", health, loop.wall_now()); }

  fakes::FakeLoop& loop;
  fakes::FakeStore* store = nullptr;
  std::unique_ptr<cluster::Fleet> fleet;
  std::string lease;
  int changes = 0;
  std::optional<cluster::SlotReply> reply;
  std::optional<cluster::Judgement> lost;
  loop::Handle slot;
};

struct World {
  explicit World(const cluster::GroupSettings& group = {"g", 1, {}, 100}, int nodes = 3) {
    for (int i = 1; i <= nodes; ++i)
      all.push_back(std::make_unique<Node>(loop, server, "node" + std::to_string(i), group));
    loop.advance(5s);
  }
  Node& operator[](int i) { return *all.at(static_cast<std::size_t>(i - 1)); }
  int slots() {
    server.expire();
    int count = 0;
    for (const auto& [key, entry] : server.entries) count += key.starts_with("g/slots/") ? 1 : 0;
    return count;
  }
  int with_slot() const {
    int count = 0;
    for (const auto& node : all) count += node->has_slot() ? 1 : 0;
    return count;
  }

  fakes::FakeLoop loop;
  fakes::StoreServer server{loop};
  std::vector<std::unique_ptr<Node>> all;
};

std::string text_of(const std::vector<cluster::Judgement>& all) {
  std::string out;
  for (const cluster::Judgement& each : all) out += (each.open ? "open: " : "closed: ") + each.text + "\n";
  return out;
}

}  // namespace

TEST_CASE("agents see how the others are") {
  World world;
  world[2].is(Health::down);
  world.loop.advance(2s);
  const cluster::FleetView view = world[1].fleet->view();
  CHECK(view.holds);
  REQUIRE(view.groups.size() == 1);
  REQUIRE(view.groups[0].group.members.size() == 3);
  CHECK(view.groups[0].group.members[1].who.node == "node2");
  CHECK(view.groups[0].group.members[1].health == Health::down);
}

TEST_CASE("of those that ask at once one gets the slot, and the next one when it is given back") {
  World world;
  for (auto& node : world.all) node->is(Health::down);
  for (auto& node : world.all) node->ask();
  world.loop.advance(5s);
  REQUIRE(world.with_slot() == 1);
  std::uint64_t fence = 0;
  for (int turn = 0; turn < 3; ++turn) {
    for (auto& node : world.all) {
      if (node->has_slot()) {
        CHECK(node->reply->fence > fence);
        fence = node->reply->fence;
        node->release();
        node->reply.reset();
        node->is(Health::up);
        break;
      }
    }
    world.loop.advance(1s);
    for (auto& node : world.all)
      if (node->reply && node->reply->kind == Answered::no) {
        CHECK(node->reply->why.brake == Brake::busy);
        node->release();
        node->ask();
      }
    world.loop.advance(5s);
    CHECK(world.with_slot() == (turn < 2 ? 1 : 0));
  }
  CHECK(world.slots() == 0);
}

TEST_CASE("who waits is seen by all, until it has a slot or is up") {
  World world;
  world[1].ask();
  world.loop.advance(2s);
  world[2].is(Health::down);
  world[2].ask();
  world.loop.advance(2s);
  const auto waits = [&] {
    const cluster::FleetView view = world[3].fleet->view();
    return view.groups.at(0).group.members.at(1).waits_since != base::WallTime{};
  };
  CHECK(waits());
  CHECK(text_of(world[2].fleet->seen("order")).find("closed: 1 of 1 slots of g taken, by order on node1") !=
        std::string::npos);
  world[1].release();
  world.loop.advance(2s);
  world[2].ask();
  world.loop.advance(2s);
  CHECK(world[2].has_slot());
  CHECK_FALSE(waits());
}

TEST_CASE("who is refused and does not ask again does not wait") {
  World world;
  world[1].is(Health::down);
  world.loop.advance(2s);
  world[1].ask();
  world.loop.advance(2s);
  REQUIRE(world[1].has_slot());
  const auto waits = [&] {
    return world[3].fleet->view().groups.at(0).group.members.at(1).waits_since != base::WallTime{};
  };
  world[2].ask("by a person", true);
  world.loop.advance(2s);
  REQUIRE(world[2].reply);
  REQUIRE(world[2].reply->kind == Answered::no);
  CHECK_FALSE(waits());
  world[2].release();
  world[2].ask("by an alert");
  world.loop.advance(2s);
  CHECK(waits());
}

TEST_CASE("of two that are up and come at once, only so many act that enough are left") {
  World world({"g", 2, {2, false}, 100});
  world[1].ask();
  world[2].ask();
  world.loop.advance(5s);
  CHECK(world.with_slot() == 1);
  CHECK(world.slots() == 1);
}

TEST_CASE("in a panic nobody acts but whom a person sends") {
  World world({"g", 1, {}, 50});
  world[1].is(Health::down);
  world[2].is(Health::down);
  world.loop.advance(2s);
  world[1].ask();
  world.loop.advance(2s);
  REQUIRE(world[1].reply);
  CHECK(world[1].reply->kind == Answered::no);
  CHECK(world[1].reply->why.brake == Brake::panic);
  world[1].release();
  world[1].ask("r2", true);
  world.loop.advance(2s);
  CHECK(world[1].has_slot());
}

TEST_CASE("an agent that is cut off loses its slot before others get it") {
  World world;
  world[1].is(Health::down);
  world[1].ask();
  world.loop.advance(2s);
  REQUIRE(world[1].has_slot());
  world[1].store->cut_off = true;
  const base::Instant cut = world.loop.now();
  world[2].is(Health::down);
  base::Instant lost{}, taken{};
  while (taken == base::Instant{} && world.loop.now() < cut + 60s) {
    if (!world[2].reply && !world[2].slot) world[2].ask();
    world.loop.advance(100ms);
    if (world[1].lost && lost == base::Instant{}) lost = world.loop.now();
    if (world[2].has_slot()) taken = world.loop.now();
    else if (world[2].reply) world[2].release(), world[2].reply.reset();
    CHECK(world.with_slot() <= 1);
  }
  CHECK(lost > cut);
  CHECK(taken >= lost + kTtl / 3 - 200ms);
  CHECK(world[1].lost->text.find("confirmed") != std::string::npos);
}

TEST_CASE("a slot that was lost and that the store still has is given back when what was begun is over") {
  World world;
  world[1].ask();
  world.loop.advance(2s);
  world[1].store->cut_off = true;
  while (!world[1].lost) world.loop.advance(100ms);
  world[1].store->cut_off = false;
  world.server.delay = 1ms;
  world.loop.advance(2s);
  CHECK(world.slots() == 1);
  world.loop.advance(kTtl / 3 + 2s);
  CHECK(world.slots() == 0);
}

TEST_CASE("a slot of which nobody heard is found again by its run, and not left behind") {
  World world;
  world[1].store->loses_takes = true;
  world[1].ask();
  world.loop.advance(1s);
  world[1].store->loses_takes = false;
  world.loop.advance(5s);
  CHECK(world[1].has_slot());

  SUBCASE("also when the run has gone") {
    world[2].fleet->release("order");
    world[1].release();
    world.loop.advance(1s);
    world[1].ask();
    world.loop.advance(100ms);  // read; the take is under way or done
    world[1].release();
    world.loop.advance(kTtl + 10s);
    CHECK(world.slots() == 0);
  }
}

TEST_CASE("an agent that is started again finds its slot") {
  World world;
  world[1].ask("r1");
  world.loop.advance(2s);
  REQUIRE(world[1].has_slot());
  const std::uint64_t fence = world[1].reply->fence;
  const std::string lease = world[1].lease;
  world.all[0].reset();
  world.loop.advance(1s);
  world.all[0] =
      std::make_unique<Node>(world.loop, world.server, "node1", cluster::GroupSettings{"g", 1, {}, 100}, lease);
  world.loop.advance(1s);
  world[1].ask("r1");
  world.loop.advance(2s);
  CHECK(world[1].has_slot());
  CHECK(world[1].reply->fence == fence);

  SUBCASE("and one that nobody asks for is given back") {
    world[1].release();
    world[1].ask("r2");
    world.loop.advance(2s);
    const std::string again = world[1].lease;
    world.all[0].reset();
    world.all[0] =
        std::make_unique<Node>(world.loop, world.server, "node1", cluster::GroupSettings{"g", 1, {}, 100}, again);
    world.loop.advance(kTtl + 310s);
    CHECK(world.slots() == 0);
  }
}

TEST_CASE("without the store one recovery may begin if all was well, and no more") {
  World world;
  world[1].is(Health::down);
  world.loop.advance(2s);
  world.server.down = true;
  world.loop.advance(20s);
  CHECK(text_of(world[1].fleet->seen("order")) ==
        "open: no answer in time; one recovery may begin by the local budget\n");
  SUBCASE("never with a reboot") {
    world[1].ask("r", false, true);
    world.loop.advance(11s);
    CHECK(world[1].reply->kind == Answered::unknown);
    CHECK(world[1].reply->why.text.find("not rebooted without the fleet") != std::string::npos);
  }
  SUBCASE("once in half an hour") {
    world[1].ask();
    world.loop.advance(11s);
    CHECK(world[1].has_slot());
    CHECK(world[1].reply->fence == 0);
    world[1].release();
    CHECK(text_of(world[1].fleet->seen("order")).find("closed: ") == 0);
    world[1].ask("r2");
    world.loop.advance(11s);
    CHECK(world[1].reply->kind == Answered::unknown);
    CHECK(world[1].reply->why.brake == Brake::unknown);
    world[1].release();
    world.loop.advance(30min);
    world[1].ask("r3");
    world.loop.advance(11s);
    CHECK(world[1].has_slot());
  }
}

TEST_CASE("without the store nothing begins if others were not well") {
  World world;
  world[1].is(Health::down);
  world[2].is(Health::down);
  world.loop.advance(2s);
  world.server.down = true;
  world.loop.advance(20s);
  CHECK(text_of(world[1].fleet->seen("order")).find("closed: no answer in time; when it last did, others") == 0);
  world[1].ask();
  world.loop.advance(11s);
  CHECK(world[1].reply->kind == Answered::unknown);

  SUBCASE("nor by an agent that never saw the group") {
    Node fresh(world.loop, world.server, "node9", {"g", 1, {}, 100});
    fresh.is(Health::down);
    fresh.ask();
    world.loop.advance(11s);
    CHECK(fresh.reply->kind == Answered::unknown);
    CHECK(fresh.reply->why.text.find("never seen the group") != std::string::npos);
  }
}

TEST_CASE("when a store comes back that has forgotten the fleet, no agent acts before all have had the time to join") {
  World world({"g", 1, {}, 50}, 5);
  for (const int i : {1, 2, 3, 4}) world[i].is(Health::down);
  world.loop.advance(2s);
  world.server.down = true;
  world.loop.advance(100s);  // all leases end
  world.server.down = false;
  for (const int i : {2, 3, 4, 5}) world[i].store->cut_off = true;
  while (!world[1].fleet->view().holds) world.loop.advance(100ms);
  world.loop.advance(200ms);
  CHECK(text_of(world[1].fleet->seen("order")) ==
        "closed: the store was away, and the other agents have 10s more to join\n");
  world.loop.advance(1s);
  world[1].ask();
  for (const int i : {2, 3, 4, 5}) world[i].store->cut_off = false;
  world.loop.advance(8s);
  CHECK_FALSE(world[1].reply);
  world.loop.advance(1500ms);
  REQUIRE(world[1].reply);
  CHECK(world[1].reply->kind == Answered::no);
  CHECK(world[1].reply->why.brake == Brake::panic);
  CHECK(text_of(world[1].fleet->seen("order")).find("closed: 4 of 5 members of g are down") != std::string::npos);
}

TEST_CASE("a service that leaves its group is not counted any more") {
  World world;
  world[2].fleet->replace({});
  world.loop.advance(3s);
  CHECK(world[1].fleet->view().groups.at(0).group.members.size() == 2);
  CHECK_FALSE(world[2].fleet->has("order"));
}

TEST_CASE("at rest an agent asks the store at most 12 times a minute, with the shortest ttl that is the default") {
  fakes::FakeLoop loop;
  fakes::StoreServer server(loop);
  auto own = std::make_unique<fakes::FakeStore>(server);
  cluster::Fleet fleet(loop, [&] { return cluster::BootTime(loop.now().time_since_epoch()); }, base::Random(1),
                       std::move(own), {"node1"}, {[] {}, [](const std::string&) {}});
  fleet.replace({{"order", {"g", 1, {}, 50}}});
  loop.advance(10s);
  server.requests = 0;
  loop.advance(60min);
  CHECK(server.requests <= 12 * 60);
  MESSAGE("requests a minute at rest: " << server.requests / 60.0);
}
