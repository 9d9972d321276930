// The lease of an agent: granted, renewed, and given up in time. Others may take what it stood for when the store ends
// it, so we stop before: at two thirds of the ttl, counted from before the last renewal that was confirmed had been
// sent, on a clock that goes on while the machine sleeps. A store that goes on confirming for a while although it is
// cut off (an etcd leader does) is covered by the last third. Loop thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/time.h"
#include "cluster/store.h"
#include "loop/scheduler.h"

namespace cluster {

// CLOCK_BOOTTIME. Its instants do not mix with those of a Scheduler.
struct SinceBoot {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SinceBoot>;
  static constexpr bool is_steady = true;
  static time_point now();
};
using BootTime = SinceBoot::time_point;
using BootClock = std::function<BootTime()>;

class Lease {
 public:
  struct Callbacks {
    std::function<void()> held;                        // granted or renewed; id() is the lease
    std::function<void(const std::string& why)> lost;  // once for each `held`
    std::function<void()> trouble;                     // trouble() is another one
  };

  // `store` and what `callbacks` reaches live longer.
  Lease(loop::Scheduler& scheduler, BootClock clock, Store& store, base::Millis ttl, Callbacks callbacks);

  // Renews the lease of an agent before this one, "" for none; one that has ended is followed by a new one.
  void begin(const std::string& remembered);

  // May be acted upon now; also when the timer that tells of the end is late.
  bool holds() const { return held_ && clock_() < until_; }
  const std::string& id() const { return id_; }  // "": none yet. Kept when it is lost: the store may still have it
  const std::string& trouble() const { return trouble_; }  // why the last try was not answered; "": it was
  // For those who act under it: tells of a loss that the timer has slept through.
  void look();

 private:
  void try_now();
  void grant();
  void renew();
  void confirmed(BootTime sent);
  void answered(const std::string& trouble);
  void lose(const std::string& why);
  void again_after(base::Duration delay);
  base::Duration next_pause();

  loop::Scheduler& scheduler_;
  BootClock clock_;
  Store& store_;
  base::Millis ttl_;
  Callbacks callbacks_;
  std::string id_, trouble_;
  bool held_ = false;
  BootTime until_{};
  int failures_ = 0;
  loop::Handle pending_, retry_, end_;
};

}  // namespace cluster
