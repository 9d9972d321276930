// Time and turns, as every module above sees them: no file descriptor, no library, no clock. EventLoop is the real one,
// FakeLoop (tests/fakes) runs two hours in microseconds. All calls from the loop thread, except post().
#pragma once

#include <functional>
#include <utility>

#include "base/time.h"
#include "loop/handle.h"

namespace loop {

using Task = std::function<void()>;

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual base::Instant now() const = 0;  // monotonic
  virtual base::WallTime wall_now() const = 0;
  // Once, at `when` or as soon after it as the loop turns; never from inside this call.
  virtual Handle at(base::Instant when, Task task) = 0;
  Handle after(base::Duration delay, Task task) { return at(now() + delay, std::move(task)); }
  // Time in which the loop did not turn although it should have, in all: the process got no CPU or was stopped, or a
  // callback took long. What is too short to matter is left out. For code that must not blame others for it.
  virtual base::Duration stalled() const { return {}; }
  // Runs on the loop thread in a later turn. From any thread; tasks keep their order.
  virtual void post(Task task) = 0;
};

}  // namespace loop
