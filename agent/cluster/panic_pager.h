// One page instead of forty: while a group is beyond its panic threshold, one agent tells people, for all of it, and
// the others refer to it. It is the one that owns the entry GROUP/pager, until the panic or its own part of it is over
// or its lease has ended. Loop thread.
#pragma once

#include <optional>
#include <string>

#include "base/random.h"
#include "cluster/group.h"
#include "cluster/lease.h"
#include "cluster/store.h"
#include "loop/scheduler.h"

namespace cluster {

// What a service's own incident is to know of the fault of its group.
struct GroupFault {
  std::string text;               // "5 of 6 members of order are down, …"
  std::optional<Identity> pager;  // who tells people; nothing: not known yet
  bool tells = false;             // the service itself does
};

class PanicPager {
 public:
  // An agent that has told people of a fault of its own goes first; the others wait for kHeadStart, and up to kSpread
  // more. When no pager is known after kPatience, each agent tells people of its own services.
  static constexpr base::Millis kHeadStart{2'000}, kSpread{2'000}, kPatience{15'000};
  // Where the store is no lock two may take it at once, and find that out by now.
  static constexpr base::Millis kSettle{3'000};

  // All live longer.
  PanicPager(loop::Scheduler& scheduler, base::Random& random, Store& store, const Lease& lease, std::string group)
      : scheduler_(scheduler), random_(random), store_(store), lease_(lease), group_(std::move(group)) {}

  // After each reading, and when one of our services changes. `down`: one of ours that is down, if there is any;
  // `told`: people have heard of it already.
  void look(const Judgement& panic, const Group& group, const std::optional<Identity>& down, bool told);

  // Of a service of ours that is down, by what look() has seen last; nothing: the group is not in a panic.
  std::optional<GroupFault> fault(const Identity& self) const;

 private:
  void read();
  void take();
  void drop();

  loop::Scheduler& scheduler_;
  base::Random& random_;
  Store& store_;
  const Lease& lease_;
  const std::string group_;
  std::optional<base::Instant> since_;  // of the panic
  std::string text_;
  base::Instant pager_since_{};          // that pager_ is this, or is not known
  std::optional<Identity> pager_, own_;  // own_: for whom we take it, or have it
  loop::Handle pending_;
};

}  // namespace cluster
