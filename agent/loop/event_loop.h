// The real Scheduler: one libevent base on one thread. The only user of libevent.
// A turn is: descriptors that are ready, then timers that are due, then tasks that were posted before it began to run
// them. Every Handle must be dropped before the loop; SIGPIPE and SIGXFSZ are ignored from the first loop on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/time.h"
#include "loop/scheduler.h"

namespace loop {

// What a descriptor is ready for; also what to wait for. An error or a hang-up makes both true.
struct Ready {
  bool read = false;
  bool write = false;
};

// When epoll hears of a watch that came or went: all of a turn together at its end, which joins a drop and a new watch
// of one descriptor to one call; or at once, for a loop beside threads that open and close descriptors of their own: a
// change that comes late may name a descriptor that is another thread's by then.
enum class EpollChanges { together, at_once };

class EventLoop final : public Scheduler {
 public:
  explicit EventLoop(EpollChanges changes = EpollChanges::together);
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  base::Instant now() const override;
  base::WallTime wall_now() const override;
  Handle at(base::Instant when, Task task) override;
  void post(Task task) override;
  base::Duration stalled() const override;

  // Level-triggered, until the Handle is dropped. `fd` must stay open that long.
  Handle watch(int fd, Ready want, std::function<void(Ready)> on_ready);

  void run();   // until stop()
  void stop();  // from any thread

  // Called after each turn in which anything ran; for code that waits for what a turn brings. One.
  void set_after_turn(Task task);
  // The longest turn since the last call: how long a due timer may have waited.
  base::Duration take_longest_turn();

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace loop
