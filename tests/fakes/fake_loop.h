// The clock of tests: it stands still until a test moves it.
#pragma once

#include "loop/virtual_loop.h"

namespace fakes {

class FakeLoop final : public loop::VirtualLoop {
 public:
  using VirtualLoop::VirtualLoop;
  // The process is stopped for so long: the clocks go on, and nothing runs.
  void stand_still(base::Duration d) {
    move_to(now() + d);
    stalled_ += d;
  }
  base::Duration stalled() const override { return stalled_; }

 private:
  base::Duration stalled_{};
};

}  // namespace fakes
