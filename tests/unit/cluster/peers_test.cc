// A fleet without a store: agents that ask each other.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "cluster/fleet.h"
#include "cluster/peer_answer.h"
#include "cluster/registry.h"
#include "fakes/fake_peers.h"

using namespace std::chrono_literals;
using cluster::Answered;
using cluster::Brake;
using model::Health;

namespace {

constexpr base::Millis kTtl{12s};

struct Agent {
  Agent(fakes::PeerNetwork& all, const std::string& name, const cluster::Settings& settings,
        const cluster::GroupSettings& group, std::uint64_t seed)
      : network(all), node(name), http(all, all.loop, name) {
    fleet = std::make_unique<cluster::Fleet>(
        network.loop, [this] { return cluster::BootTime(network.loop.now().time_since_epoch()); }, base::Random(seed),
        settings.make({network.loop, http, node, seed}, 3s), cluster::FleetOptions{node, kTtl},
        cluster::FleetCallbacks{[] {}, [](const std::string&) {}});
    network.shown[node] = [this] { return fleet->shared(); };
    fleet->replace({{"order", group}});
    fleet->on_health("order", Health::up, network.loop.wall_now());
  }
  ~Agent() { network.shown.erase(node); }

  void ask() {
    reply.reset();
    lost.reset();
    slot = fleet->acquire(
        {"order", "r", false, false, network.loop.now() + 9500ms},
        [this](cluster::SlotReply r) { reply = std::move(r); },
        [this](cluster::Judgement why) { lost = std::move(why); });
  }
  void release() {
    slot.reset();
    reply.reset();
    lost.reset();
    fleet->release("order");
  }
  bool acts() const { return reply && reply->kind == Answered::yes && !lost; }
  bool refused() const { return reply && reply->kind != Answered::yes; }
  void is(Health health) { fleet->on_health("order", health, network.loop.wall_now()); }
  std::size_t members() const { return fleet->view().groups.at(0).group.members.size(); }

  fakes::PeerNetwork& network;
  std::string node;
  fakes::PeerHttp http;
  std::unique_ptr<cluster::Fleet> fleet;
  std::optional<cluster::SlotReply> reply;
  std::optional<cluster::Judgement> lost;
  loop::Handle slot;
};

struct World {
  explicit World(int count = 5, cluster::GroupSettings of_all = {"g", 1, {}, 100}, std::uint64_t of_seed = 1)
      : group(std::move(of_all)), seed(of_seed) {
    std::string urls;
    for (int i = 1; i <= count; ++i) urls += fmt::format("{}\"{}\"", i == 1 ? "" : ", ", network.url(name(i)));
    config::Errors errors;
    for (const cluster::StoreType* type : cluster::store_types())
      if (type->name == "peers")
        settings = type->parse(config::Node::parse("{urls: [" + urls + "]}", "f", errors), "fleet.peers", errors);
    REQUIRE_MESSAGE(errors.empty(), errors.text());
    for (int i = 1; i <= count; ++i) all.push_back(make(i));
    loop.advance(15s);
  }
  static std::string name(int i) { return "node" + std::to_string(i); }
  std::unique_ptr<Agent> make(int i) {
    return std::make_unique<Agent>(network, name(i), *settings, group, seed * 1000 + static_cast<std::uint64_t>(i));
  }
  Agent& operator[](int i) { return *all.at(static_cast<std::size_t>(i - 1)); }
  void cut_off(int i) {
    for (const auto& other : all)
      if (other && other->node != name(i)) network.cut(name(i), other->node);
  }
  int acting() const {
    int count = 0;
    for (const auto& agent : all) count += agent && agent->acts() ? 1 : 0;
    return count;
  }

  fakes::FakeLoop loop;
  fakes::PeerNetwork network{loop};
  cluster::GroupSettings group;
  std::uint64_t seed;
  std::unique_ptr<const cluster::Settings> settings;
  std::vector<std::unique_ptr<Agent>> all;
};

}  // namespace

TEST_CASE("agents without a store see each other, who waits and who acts") {
  World world;
  for (const auto& agent : world.all) CHECK(agent->members() == 5);
  world[2].is(Health::down);
  world[2].ask();
  world.loop.advance(1s);
  world[4].ask();
  world.loop.advance(kTtl / 3 + 1s);
  const auto view = world[1].fleet->view();
  CHECK(view.store == "the majority of 5 agents");
  const cluster::Group& group = view.groups.at(0).group;
  CHECK(group.members.at(1).health == Health::down);
  REQUIRE(group.holders.size() == 1);
  CHECK(group.holders[0].who.node == "node2");
  CHECK_FALSE(group.holders[0].announced);
  CHECK(group.holders[0].fence == 0);
  REQUIRE(world[2].acts());
  CHECK(world[2].reply->fence == 0);
  CHECK(world[4].refused());
  CHECK(world[4].reply->why.brake == Brake::busy);
}

TEST_CASE("of those that announce at once the first by name acts, and one that acts goes before all") {
  World world;
  world.network.delay = [] { return 400ms; };  // they announce before they hear of each other
  for (const int i : {3, 2, 5}) world[i].ask();
  world.loop.advance(8s);
  CHECK(world[2].acts());
  CHECK(world[3].refused());
  CHECK(world[5].refused());
  for (const int i : {3, 5}) world[i].release();
  world[1].ask();
  world.loop.advance(6s);
  CHECK(world[1].refused());
  CHECK(world.acting() == 1);
  world[2].release();
  world[1].release();
  world[5].ask();
  world.loop.advance(6s);
  CHECK(world[5].acts());
}

TEST_CASE("an agent that is cut off from the majority stops before another one acts") {
  World world;
  world[1].ask();
  world.loop.advance(6s);
  REQUIRE(world[1].acts());
  world.cut_off(1);
  const base::Instant cut = world.loop.now();
  base::Instant lost{}, taken{};
  while (taken == base::Instant{} && world.loop.now() < cut + 60s) {
    if (!world[3].slot) world[3].ask();
    world.loop.advance(100ms);
    CHECK(world.acting() <= 1);
    if (world[1].lost && lost == base::Instant{}) lost = world.loop.now();
    if (world[3].acts()) taken = world.loop.now();
    else if (world[3].refused()) world[3].release();
  }
  CHECK(lost > cut);
  CHECK(taken > lost);
  CHECK(taken >= cut + kTtl);

  SUBCASE("and gets nothing itself, also not from a budget of its own") {
    world[1].release();
    world[1].ask();
    world.loop.advance(10s);
    REQUIRE(world[1].reply);
    CHECK(world[1].reply->kind == Answered::unknown);
    CHECK(world[1].reply->why.text.find("1 of 5 agents answer, and more than half must; node2 (http://node2:10911)") !=
          std::string::npos);
    CHECK(world[1].reply->why.text.find("without a majority of the agents nothing is done") != std::string::npos);
    CHECK_FALSE(world[1].fleet->seen("order").front().open);
  }
}

TEST_CASE("one that is silent holds the others back for a ttl, and then counts as gone") {
  World world;
  world.all[4].reset();
  world[1].ask();
  world.loop.advance(9600ms);
  REQUIRE(world[1].reply);
  CHECK(world[1].reply->kind == Answered::unknown);
  CHECK(world[1].reply->why.text.find(
            "what node5 (http://node5:10911) does is not known until it has been silent for 12s: connection refused") !=
        std::string::npos);
  world[1].release();
  world.loop.advance(kTtl + 30s);  // a view that could not be had is asked for again within 30 s
  CHECK(world[1].members() == 4);
  world[1].ask();
  world.loop.advance(6s);
  CHECK(world[1].acts());
  world.all[4] = world.make(5);
  world.loop.advance(15s);
  CHECK(world[1].members() == 5);
}

TEST_CASE("two agents with one name decide nothing, and say why") {
  World world(3);
  world.network.shown["node3"] = [&world] { return world[2].fleet->shared(); };
  world[1].ask();
  world.loop.advance(10s);
  REQUIRE(world[1].reply);
  CHECK(world[1].reply->kind == Answered::unknown);
  CHECK(world[1].reply->why.text.find("has the name of another node; set global.node") != std::string::npos);
}

TEST_CASE("enough others stay up, also when two come at once") {
  World world(4, {"g", 2, {2, false}, 100});
  world[1].is(Health::down);
  world.loop.advance(5s);
  world[2].ask();
  world[3].ask();
  world.loop.advance(8s);
  CHECK(world.acting() == 1);
}

TEST_CASE("in a panic one agent tells people, also without a store") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    World world(5, {"g", 1, {}, 50}, seed);
    world.network.delay = [] { return 300ms; };
    for (const int i : {1, 3, 4}) world[i].is(Health::down);
    int told = 0;
    std::vector<bool> tells(5);
    for (int step = 0; step < 400; ++step) {
      world.loop.advance(100ms);
      for (std::size_t i = 0; i < 5; ++i) {
        const auto fault = world.all[i]->fleet->fault("order");
        const bool now = fault && fault->tells;
        if (now && !tells[i]) ++told;
        tells[i] = tells[i] || now;
      }
    }
    CHECK(told == 1);
  }
}

TEST_CASE("at rest an agent asks each other one at most 12 times a minute") {
  World world(3);
  world.network.requests = 0;
  world.loop.advance(60min);
  const double each = world.network.requests / 60.0 / 6;  // three agents, two others each
  CHECK(each <= 20);                                      // of a ttl of 12 s; the default is 20 s
  CHECK(each * 12 / 20 <= 12);
  MESSAGE("questions a minute for each pair, with the default ttl: " << each * 12 / 20);
}

TEST_CASE("in whatever order they come, and however slow answers are, only one acts") {
  base::Random random(7);
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    World world(3, {"g", 1, {}, 100}, seed);
    world.network.delay = [&random] { return base::Millis(random.below(990)); };
    int acted = 0;
    for (int step = 0; step < 300; ++step) {
      for (const auto& agent : world.all) {
        const bool turn = random.below(8) == 0;
        if (!agent->slot && turn) agent->ask();
        else if (agent->refused() || (agent->acts() && turn)) agent->release();
      }
      const int before = world.acting();
      world.loop.advance(base::Millis(random.below(400)));
      REQUIRE(world.acting() <= 1);
      acted += world.acting() > before ? 1 : 0;
    }
    CHECK(acted > 0);
  }
}

TEST_CASE("what a peer says is read without trust") {
  const cluster::PeerAnswer said{"node2",
                                 "i2",
                                 20s,
                                 {{"g/members/node2/order", R"({"node":"node2","service":"order"})", false},
                                  {"g/slots/0", R"({"node":"node1","service":"order"})", true},
                                  {"g/slots/1", R"({"node":"node2","service":"order"})", true}}};
  const auto body = [](const std::string& data) { return R"({"status":"success","data":)" + data + "}"; };
  const auto read = cluster::read_peer_answer(body(cluster::write_peer_answer(said)));
  REQUIRE(read);
  CHECK(read->node == "node2");
  CHECK(read->ttl == 20s);
  REQUIRE(read->entries.size() == 2);  // it does not speak for node1
  CHECK(read->entries[1].key == "g/slots/1");
  CHECK(read->entries[1].acts);
  for (const char* bad :
       {"", "null", "[]", "{}", R"({"node":"","instance":"i","ttlMs":1,"entries":[]})",
        R"({"node":"a","instance":"i","ttlMs":-1,"entries":[]})",
        R"({"node":"a","instance":"i","ttlMs":1,"entries":{}})", R"({"node":7,"instance":"i","ttlMs":1,"entries":[]})"})
    CHECK_FALSE(cluster::read_peer_answer(body(bad)));
  CHECK(cluster::read_peer_answer(body(R"({"node":"a","instance":"i","ttlMs":9e9,"entries":[3,null,{"key":1}]})"))
            .has_value() == false);
  CHECK(cluster::read_peer_answer(body(R"({"node":"a","instance":"i","ttlMs":900000,"entries":[3,{"key":1}]})"))->ttl ==
        60s);
}
