// How a request waits for something that others hold: until it is free, the request's time is over, its client has
// left, or the server ends. Worker threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "base/result.h"
#include "base/time.h"

namespace web {

struct Patience {
  base::Instant deadline{};
  const std::function<bool()>& abandoned;  // may be empty
  const std::atomic<bool>* stopping = nullptr;
};

// Returns with `lock` held, when `is_free` holds. Errors have the words of Prometheus' queue: Kind::timeout, cancelled.
template <typename IsFree>
base::Result<> wait_for_turn(std::unique_lock<std::mutex>& lock, std::condition_variable& freed,
                             const Patience& patience, IsFree is_free) {
  constexpr base::Millis kQuestionEvery{200};  // whether the client still waits for the answer
  while (!is_free()) {
    const base::Instant now = base::Clock::now();
    if (now >= patience.deadline) return base::fail(base::Kind::timeout, "query timed out in query queue");
    lock.unlock();
    const bool unwanted =
        (patience.stopping && patience.stopping->load()) || (patience.abandoned && patience.abandoned());
    lock.lock();
    if (unwanted) return base::fail(base::Kind::cancelled, "query was canceled in query queue");
    if (!is_free()) freed.wait_until(lock, std::min<base::Instant>(patience.deadline, now + kQuestionEvery));
  }
  return {};
}

}  // namespace web
