// Runs a real EventLoop until a condition holds, looked at after each turn and every two milliseconds; a test that
// would hang stops after ten seconds with false.
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
  // Turns also when nothing else does: the condition may be about the world outside.
  loop::Handle tick;
  const std::function<void()> again = [&] { tick = loop.after(std::chrono::milliseconds{2}, again); };
  again();
  const auto guard = loop.after(limit, [&] { loop.stop(); });
  loop.run();
  loop.set_after_turn(nullptr);
  return held;
}

}  // namespace fakes
