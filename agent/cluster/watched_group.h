// A group as the store last said it was: read when a watch says that it may be another one, when the watch breaks, and
// every five minutes. Agents that are woken together read a little apart. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/random.h"
#include "cluster/group.h"
#include "cluster/store.h"
#include "loop/scheduler.h"

namespace cluster {

class WatchedGroup {
 public:
  // `store` and `random` live longer. `changed` after each reading.
  WatchedGroup(loop::Scheduler& scheduler, base::Random& random, Store& store, std::string group,
               std::function<void()> changed);

  // It is read now: it was written, or people want to know how it is.
  void refresh() { read(); }
  // The store answers again: what is to be read once more is read soon.
  void hurry();
  // Somebody has read it.
  void know(const Reading& reading);
  bool known() const { return known_; }  // once at least
  const Group& group() const { return group_; }
  std::uint64_t readings() const { return readings_; }  // so far
  const std::string& name() const { return name_; }

 private:
  void read();
  void watch();
  void again(const std::string& why);

  loop::Scheduler& scheduler_;
  base::Random& random_;
  Store& store_;
  std::string name_;
  std::function<void()> changed_;
  Group group_;
  std::uint64_t index_ = 0, readings_ = 0;
  bool known_ = false;
  int failures_ = 0;
  loop::Handle pending_, pause_;
};

}  // namespace cluster
