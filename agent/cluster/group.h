// A group of services of which few may be interrupted at a time, over all nodes: what the store says of it, and the
// brakes that follow. Pure.
//
// Keys of a group: GROUP/members/NODE/SERVICE says how a service is, GROUP/slots/NUMBER who interrupts one, GROUP/pager
// who tells people of a panic. All are JSON on the lease of the agent that wrote them, so what an agent said goes with
// it. GROUP/rollout, the record of a rollout, is under no lease.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cluster/identity.h"
#include "cluster/rollout_record.h"
#include "cluster/store.h"
#include "config/schema.h"
#include "model/health.h"

namespace cluster {

// A number of members, or a part of them in percent, rounded up.
struct Share {
  int value = 0;
  bool percent = false;
  int of(int members) const { return percent ? (members * value + 99) / 100 : value; }
};

// `fleet` of a service.
struct GroupSettings {
  std::string group;         // "": the service is in none
  int max_concurrent = 1;    // of all nodes
  Share min_healthy{};       // others that must be up when one that is up is interrupted
  int panic_threshold = 50;  // percent of the members; if more are down, no service of the group is recovered
};
GroupSettings parse_group(const config::Node& node, const std::string& path, config::Errors& errors);
const std::vector<config::KeyReference>& group_reference();

struct Member {
  Identity who{};
  model::Health health = model::Health::unknown;
  base::WallTime since{};        // that its health is this
  base::WallTime waits_since{};  // that it waits for a slot; the epoch: it does not
  std::string lease{};
};
struct Holder {
  int slot = 0;
  Identity who{};
  std::string recovery{};  // the run
  base::WallTime since{};
  std::string lease{};
  std::uint64_t fence = 0;
  bool announced = false;  // it does not act yet, and looks whether others were faster
};
// Who tells people of a group that is beyond its panic threshold.
struct Pager {
  Identity who{};
  base::WallTime since{};
  std::string lease{};
};
struct Group {
  std::vector<Member> members;  // by node and service
  std::vector<Holder> holders;  // by slot
  std::optional<Pager> pager{};
  std::optional<Rollout> rollout{};
  std::uint64_t rollout_revision = 0;  // 0: there is no record
};

std::string group_prefix(const std::string& group);
std::string member_key(const std::string& group, const Identity& who);
std::string slot_key(const std::string& group, int slot);
bool is_slot_key(const std::string& key);
std::string member_value(const Member& member);
std::string holder_value(const Holder& holder);
std::string pager_key(const std::string& group);
std::string pager_value(const Pager& pager);
// What is no entry of ours is left out. A member that says how it is in no way that we know counts, as unknown.
Group read_group(const std::string& group, const Reading& reading);

// Why a service may not be interrupted, or may as far as this goes.
enum class Brake { unknown, panic, busy, min_healthy };
struct Judgement {
  Brake brake = Brake::unknown;
  bool open = true;
  std::string text{};  // "1 of 1 slots taken, by order on node2"
};

// All brakes, in the order in which they are asked. Slots with a fence of `before` or more do not count, those of the
// service itself neither: of two that came at the same time the later one is held back, and not both.
constexpr std::uint64_t kAll = ~std::uint64_t{0};
std::vector<Judgement> judge(const GroupSettings& settings, const Group& group, const Identity& self,
                             std::uint64_t before = kAll);

// One of them. A group in a panic: the fault is not a member's, and recovering one does not help.
Judgement judge_panic(const GroupSettings& settings, const Group& group);

// Whether all other members are up and hold no slot. The local budget needs this of the last reading.
bool is_whole(const Group& group, const Identity& self);

}  // namespace cluster
