// This agent in its fleet: says how its services are, knows how those of the others are, and gets slots for those that
// are to be interrupted. What it cannot learn from the store it does not assume; kAloneEvery is the one
// exception. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "cluster/acquisition.h"
#include "cluster/group.h"
#include "cluster/lease.h"
#include "cluster/panic_pager.h"
#include "cluster/store.h"
#include "cluster/watched_group.h"
#include "loop/scheduler.h"
#include "model/health.h"

namespace cluster {

struct FleetOptions {
  std::string node;
  base::Millis ttl{20'000};
  std::string lease{};  // of an agent before this one, "" for none: what it held is ours
};

struct FleetCallbacks {
  std::function<void()> changed;                             // what seen() and view() say; slots may be free
  std::function<void(const std::string& lease)> keep_lease;  // for the next agent of this node
};

// Of a service of this agent.
struct FleetService {
  std::string service;
  GroupSettings group;
};

struct SlotWish {
  std::string service;
  std::string recovery;  // who holds a slot for it already keeps it
  bool reboots = false;  // the node, too
  bool by_person = false;
  base::Instant deadline{};
  bool of_rollout = false;  // which does not go on without the store
};
struct SlotReply {
  Answered kind = Answered::unknown;
  Judgement why{};
  std::uint64_t fence = 0;  // of a yes; 0: nothing fences: by the local budget, or the store is no lock
};

// For people.
struct FleetGroupView {
  std::string name;
  bool known = false;
  Group group;
  std::string panic{};  // why no member is recovered; "": the group is not beyond its panic threshold
};
struct FleetView {
  std::string store;
  std::string trouble;     // "": it answers
  bool holds = false;      // the lease
  base::WallTime since{};  // that it does, or does not
  std::vector<FleetGroupView> groups;
};

class Fleet {
 public:
  // One recovery in this time may start while the store does not answer, if at its last answer all other members were
  // up and held no slot. An agent that has not read the group since its start gets none.
  static constexpr std::chrono::minutes kAloneEvery{30};

  // After a store was away agents try every five seconds to have a lease again; by then all have joined.
  static constexpr std::chrono::seconds kRejoin{10};

  Fleet(loop::Scheduler& scheduler, BootClock clock, base::Random random, std::unique_ptr<Store> store,
        FleetOptions options, FleetCallbacks callbacks);
  ~Fleet();

  // Before the end of one that is followed by another: what is held is lost, and released by the end of the lease.
  void leave(const std::string& why);

  // Services that are gone leave their group; slots that are held stay so until release().
  void replace(const std::vector<FleetService>& services);
  void on_health(const std::string& service, model::Health health, base::WallTime since);
  bool has(const std::string& service) const { return own_.contains(service); }

  // As recover::Slots has them.
  loop::Handle acquire(const SlotWish& wish, std::function<void(SlotReply)> done, std::function<void(Judgement)> lost);
  void release(const std::string& service);
  // The first says whether the store is known to answer. Closed: it is the only one.
  std::vector<Judgement> seen(const std::string& service) const;

  // Of a service that is down while its group is beyond its panic threshold. Nothing: its fault is its own, or nothing
  // is known of the group now.
  std::optional<GroupFault> fault(const std::string& service) const;
  // People have heard of the fault of a service of ours: who has, tells them of a panic as well.
  void told(const std::string& service, bool told);

  // What the store last said of a group of ours; null: it is none, or nothing was read yet.
  const Group* group(const std::string& name) const;
  std::uint64_t readings(const std::string& name) const { return groups_.at(name)->readings(); }  // of one of groups()
  void refresh(const std::string& name) { groups_.at(name)->refresh(); }
  std::vector<std::string> groups() const;                            // that services of this agent are in
  std::vector<Identity> own_members(const std::string& group) const;  // by service
  const GroupSettings* settings(const std::string& service) const;    // null: it is in no group
  // Whether what group() says is renewed: the agent has its lease.
  bool joined() const { return lease_->holds(); }
  // For elections, which stand beside the groups: the store, which lives as long as this, and the lease.
  Store& store() { return *store_; }
  const std::string& lease() const { return lease_->id(); }
  const std::string& node() const { return options_.node; }
  bool keeps_records() const { return store_->locks(); }
  std::string store_name() const { return store_->name(); }
  // Over the revision of group(); whatever came of it, the group is read again. `done` once, in a later turn, unless
  // this object is gone by then. One at a time for a group; an earlier one is not waited for any more.
  void write(const std::string& group, const Rollout& rollout, std::function<void(Answer<Nothing>)> done);

  FleetView view() const;
  std::string shared() const { return store_->shared(); }  // as the store has it

 private:
  struct Own;   // a service of ours
  struct Slot;  // asked for or held
  class Asked;

  void lease_held();
  void lease_troubled();
  std::optional<std::string> bar_after_trouble() const;
  void lease_lost(const std::string& why);
  void group_read(const WatchedGroup& group);
  void look_at_panic(const std::string& group);
  void publish(Own& own);
  void on_acquired(const std::string& service, Acquired acquired);
  std::optional<std::string> bar_to_acting_alone(const std::string& service, const Slot* wanted) const;
  void give_back(const std::string& service, const std::string& key, BootTime from);
  void try_give_back();
  void watch_lease();
  const WatchedGroup* group_of(const Own& own) const;
  bool gives_back(const std::string& service) const;
  void stop_waiting(const std::string& service);

  loop::Scheduler& scheduler_;
  BootClock clock_;
  base::Random random_;
  std::unique_ptr<Store> store_;
  FleetOptions options_;
  FleetCallbacks callbacks_;
  std::map<std::string, std::unique_ptr<Own>> own_;
  std::map<std::string, std::unique_ptr<Slot>> slots_;
  std::map<std::string, std::unique_ptr<WatchedGroup>> groups_;
  std::map<std::string, std::unique_ptr<PanicPager>> pagers_;  // by group
  // By key. Those that cannot be given back wait for the next try.
  struct GiveBack {
    std::string service;
    BootTime from{};
  };
  std::map<std::string, GiveBack> to_give_back_;
  std::optional<base::Instant> acted_alone_;
  bool troubled_ = false;          // since it last had a lease
  base::Instant joined_surely_{};  // when all others have had the time to join as well
  base::WallTime lease_since_{};
  std::uint64_t last_ = 0;
  std::string held_lease_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // who asked may let go of its Handle later
  std::map<std::string, loop::Handle> writing_;                 // records, by group
  loop::Handle giving_back_, next_give_back_, second_;
  std::unique_ptr<Lease> lease_;  // destroyed first, and without a call of its callbacks
};

}  // namespace cluster
