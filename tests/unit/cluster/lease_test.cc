#include "cluster/lease.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "fakes/fake_store.h"

using namespace std::chrono_literals;

namespace {

struct World {
  fakes::FakeLoop loop;
  fakes::StoreServer server{loop};
  fakes::FakeStore store{server};
  base::Duration asleep{};  // of the machine: only CLOCK_BOOTTIME has seen it
  std::vector<std::string> told;
  cluster::Lease lease{
      loop,
      [this] { return cluster::BootTime(loop.now().time_since_epoch() + asleep); },
      store,
      12s,
      {[this] { told.push_back("held"); }, [this](const std::string& why) { told.push_back("lost: " + why); },
       [this] { told.push_back("trouble: " + lease.trouble()); }}};
};

}  // namespace

TEST_CASE("a lease is granted and renewed at a third of its time") {
  World world;
  CHECK_FALSE(world.lease.holds());
  world.lease.begin("");
  world.loop.advance(1s);
  CHECK(world.lease.holds());
  CHECK(world.lease.id() == "lease1");
  world.loop.advance(10min);
  CHECK(world.lease.holds());
  CHECK(world.told == std::vector<std::string>{"held"});
  CHECK(world.server.requests <= 1 + 601 / 4 + 1);
}

TEST_CASE("without a confirmed renewal it is given up at two thirds, counted from before the last one was sent") {
  World world;
  world.server.delay = 500ms;
  world.lease.begin("");
  world.loop.advance(600ms);
  REQUIRE(world.lease.holds());
  world.store.cut_off = true;
  world.loop.advance(8s - 601ms);
  CHECK(world.lease.holds());
  world.loop.advance(1ms);
  CHECK_FALSE(world.lease.holds());
  CHECK(world.told.back() == "lost: no renewal of the lease was confirmed within 8s");
  // The store still had it: it is the same one again.
  world.store.cut_off = false;
  world.loop.advance(4s);
  CHECK(world.lease.holds());
  CHECK(world.lease.id() == "lease1");
}

TEST_CASE("an answer that comes after its own time holds nothing") {
  World world;
  world.server.delay = 9s;
  world.lease.begin("");
  world.loop.advance(9s);
  CHECK_FALSE(world.lease.holds());
}

TEST_CASE("time that the machine slept counts") {
  World world;
  world.lease.begin("");
  world.loop.advance(1s);
  REQUIRE(world.lease.holds());
  world.asleep = 1h;
  CHECK_FALSE(world.lease.holds());
  world.lease.look();
  CHECK(world.told.back().starts_with("lost"));
}

TEST_CASE("a lease that the store has ended is lost at once, and followed by a new one") {
  World world;
  world.lease.begin("");
  world.loop.advance(1s);
  world.server.end("lease1");
  world.loop.advance(4s);
  CHECK(world.told == std::vector<std::string>{"held", "lost: the lease has ended", "held"});
  CHECK(world.lease.id() == "lease2");
}

TEST_CASE("the lease of an agent before this one is taken over, or followed by a new one") {
  World world;
  world.server.leases["before"] = {12s, world.loop.now() + 3s};
  world.lease.begin("before");
  world.loop.advance(1s);
  CHECK(world.lease.id() == "before");
  World other;
  other.lease.begin("ended");
  other.loop.advance(1s);
  CHECK(other.lease.id() == "lease1");
  CHECK(other.told == std::vector<std::string>{"held"});
}

TEST_CASE("a store that does not answer is asked ever more seldom, and what is wrong is told once") {
  World world;
  world.server.down = true;
  world.lease.begin("");
  world.loop.advance(10min);
  CHECK(world.told == std::vector<std::string>{"trouble: no answer in time"});
  CHECK(world.server.requests < 100);
  world.server.down = false;
  world.loop.advance(8s);
  CHECK(world.lease.holds());
  CHECK(world.told.back() == "trouble: ");
}
