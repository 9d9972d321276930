// How probes of files look at them: elsewhere, because a file system may hang.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/time.h"
#include "loop/blocking_pool.h"
#include "loop/scheduler.h"
#include "probe/own_fault.h"
#include "probe/probe.h"

namespace probe {

// `look` runs on a thread of its own and owns what it needs; `done` comes on the loop with what it found. While the
// probe's last look at the path has not come back, the next fails as read_timeout, and as agent_overloaded if no thread
// is free for it: well before `deadline`, at which the file system would be to blame. `probe` names who looks: what
// another probe does with the same path is nothing to this one.
inline loop::Handle run_blocking(const Context& context, base::Instant deadline, const std::string& probe,
                                 const std::string& path, std::function<model::Outcome()> look, Done done) {
  const auto half = std::chrono::duration_cast<base::Millis>((deadline - context.scheduler.now()) / 2);
  const auto found = std::make_shared<model::Outcome>();
  return context.blocking_pool.run(
      {probe, path}, [found, look = std::move(look)] { *found = look(); },
      [found, done = std::move(done)](base::Result<> ran) {
        if (ran) return done(std::move(*found));
        done(failure_of(ran.error(), model::Reason::read_timeout));
      },
      std::clamp(half, base::Millis{0}, loop::BlockingPool::kPatience));
}

inline std::string name_of(const Owner& owner) { return owner.service + "/" + owner.probe; }

}  // namespace probe
