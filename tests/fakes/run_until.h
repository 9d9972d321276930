// Runs a real EventLoop until a condition holds; a test that would hang stops after ten seconds with false.
#pragma once

#include <functional>

#include "loop/event_loop.h"

namespace fakes {

inline bool run_until(loop::EventLoop& loop, const std::function<bool()>& holds,
                      base::Duration limit = std::chrono::seconds{10}) {
  if (holds()) return true;
  bool held = false;
  loop.set_after_turn([&] {
    if (!held && holds()) {
      held = true;
      loop.stop();
    }
  });
  const auto guard = loop.after(limit, [&] { loop.stop(); });
  loop.run();
  loop.set_after_turn(nullptr);
  return held;
}

}  // namespace fakes
