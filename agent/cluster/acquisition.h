// One service that wants a slot of its group: reads, judges, takes the first free slot, and judges once more with what
// is there then; of two that came at the same time the one with the larger fence gives its slot back. Not knowing is
// asked again until the deadline, and neither takes nor frees. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "base/random.h"
#include "cluster/group.h"
#include "cluster/lease.h"
#include "cluster/store.h"
#include "loop/scheduler.h"

namespace cluster {

struct Wish {
  Identity who{};
  GroupSettings group{};
  std::string recovery{};
  bool by_person = false;  // a person asks: the panic threshold does not hold them back
  base::Instant deadline{};
};

struct Acquired {
  Answered kind = Answered::unknown;
  Judgement why{};
  std::string key{};        // of the slot that is held, or may be
  std::uint64_t fence = 0;  // of a yes
};

class Acquisition {
 public:
  // All live longer. It waits until `ready`. `read` hears of what was read. `done` once, in a later turn; may destroy
  // this.
  Acquisition(loop::Scheduler& scheduler, base::Random& random, Store& store, const Lease& lease, Wish wish,
              std::function<bool()> ready, std::function<void(const Reading&)> read,
              std::function<void(Acquired)> done);

  // The key of the slot that may be taken by now, "" for none.
  std::string asked() const { return asked_ ? slot_key(wish_.group.group, slot_) : ""; }

 private:
  void read();
  void choose(const Group& group);
  void take();
  void check(const Group& group);
  void give_back(Judgement why);
  void later(std::function<void()> what);
  void end(Acquired acquired);
  const Judgement* closed(const std::vector<Judgement>& all) const;

  loop::Scheduler& scheduler_;
  base::Random& random_;
  Store& store_;
  const Lease& lease_;
  Wish wish_;
  std::function<bool()> ready_;
  std::function<void(const Reading&)> read_;
  std::function<void(Acquired)> done_;
  int slot_ = -1;
  bool taken_ = false;  // the store said so
  bool asked_ = false;  // it may be ours
  int losses_ = 0;      // others were faster
  std::string trouble_;
  loop::Handle pending_, limit_;
};

}  // namespace cluster
