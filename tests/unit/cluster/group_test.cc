#include "cluster/group.h"

#include <doctest/doctest.h>

using cluster::Brake;
using cluster::Group;
using cluster::GroupSettings;
using model::Health;

namespace {

const cluster::Identity kSelf{"node1", "order"};

Group group_of(const std::vector<Health>& healths) {
  Group group;
  int number = 0;
  for (const Health health : healths) group.members.push_back({{"node" + std::to_string(++number), "order"}, health});
  return group;
}

// Names of the closed brakes.
std::string closed(const GroupSettings& settings, const Group& group, std::uint64_t before = cluster::kAll) {
  std::string out;
  for (const cluster::Judgement& each : judge(settings, group, kSelf, before))
    if (!each.open) out += each.brake == Brake::busy ? "busy " : each.brake == Brake::panic ? "panic " : "min_healthy ";
  return out;
}

constexpr Health up = Health::up, down = Health::down, unknown = Health::unknown;

}  // namespace

TEST_CASE("brakes of a group") {
  GroupSettings one{"g", 1, {}, 50};
  CHECK(closed(one, group_of({down, up, up})).empty());
  CHECK(closed(one, group_of({down, down, up, up})).empty());  // half is not more than half
  CHECK(closed(one, group_of({down, down, up})) == "panic ");
  CHECK(closed(one, group_of({down})).empty());  // alone there is nothing to compare with
  CHECK(closed(one, group_of({unknown, unknown, unknown})).empty());
  GroupSettings never{"g", 1, {}, 100};
  CHECK(closed(never, group_of({down, down, down})).empty());

  SUBCASE("slots of others count, our own do not, nor do those that came later") {
    Group group = group_of({down, up, up});
    group.holders = {{0, {"node2", "order"}, "r", {}, "l2", 7}};
    CHECK(closed(one, group) == "busy ");
    CHECK(closed(one, group, 6).empty());
    CHECK(closed(one, group, 8) == "busy ");
    group.holders.front().who = kSelf;
    CHECK(closed(one, group).empty());
  }
  SUBCASE("enough others must be up, but what is down anyway may be restarted") {
    const GroupSettings two{"g", 2, {2, false}, 100};
    CHECK(closed(two, group_of({up, up, up})).empty());
    CHECK(closed(two, group_of({up, up, down})) == "min_healthy ");
    CHECK(closed(two, group_of({unknown, up, down})) == "min_healthy ");
    CHECK(closed(two, group_of({down, up, down})).empty());
    Group group = group_of({up, up, up});
    group.holders = {{0, {"node2", "order"}, "r", {}, "l2", 7}};  // is being interrupted
    CHECK(closed(two, group) == "min_healthy ");
    const GroupSettings share{"g", 2, {50, true}, 100};  // of 3: 2
    CHECK(closed(share, group_of({up, up, down})) == "min_healthy ");
    CHECK(closed(share, group_of({up, up, up})).empty());
  }
}

TEST_CASE("what the store has of a group is read without trust") {
  const cluster::Member member{{"node/1", "order"}, up, base::wall_from_ms(1'700'000'000'123)};
  const cluster::Holder holder{3, {"node2", "order"}, "r1", base::wall_from_ms(5)};
  CHECK(cluster::member_key("g", member.who) == "g/members/node=2F1/order");
  cluster::Reading reading;
  reading.entries = {{"g/members/node=2F1/order", member_value(member), "l1", 4},
                     {"g/members/node9/order", "no JSON", "l9", 5},
                     {"g/slots/3", holder_value(holder), "l2", 6},
                     {"g/slots/x", holder_value(holder), "l2", 6},
                     {"g/else", "{}", "l2", 6}};
  const Group group = read_group("g", reading);
  REQUIRE(group.members.size() == 2);
  CHECK(group.members[0].who == member.who);
  CHECK(group.members[0].health == up);
  CHECK(group.members[0].since == member.since);
  CHECK(group.members[1].health == unknown);
  REQUIRE(group.holders.size() == 1);
  CHECK(group.holders[0].slot == 3);
  CHECK(group.holders[0].recovery == "r1");
  CHECK(group.holders[0].fence == 6);
}

TEST_CASE("a slot is told by its place in the key, whatever a node is called") {
  CHECK(cluster::is_slot_key(cluster::slot_key("g", 1)));
  CHECK_FALSE(cluster::is_slot_key(cluster::member_key("g", {"slots", "order"})));
  CHECK_FALSE(cluster::is_slot_key(cluster::member_key("slots", {"node1", "slots"})));
  CHECK_FALSE(cluster::is_slot_key(""));
}

TEST_CASE("a group is whole when all others are up and nobody acts") {
  CHECK(is_whole(group_of({down, up, up}), kSelf));
  CHECK_FALSE(is_whole(group_of({up, up, unknown}), kSelf));
  Group group = group_of({down, up});
  group.holders = {{0, {"node2", "order"}, "r", {}, "l2", 7}};
  CHECK_FALSE(is_whole(group, kSelf));
}
