// A Scheduler for modules with a thread of their own: post() from any thread, run_one() on the test's thread waits for
// a task, ten seconds at most. It has no timers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "loop/scheduler.h"

namespace fakes {

class WaitingLoop final : public loop::Scheduler {
 public:
  base::Instant now() const override { return base::Instant{std::chrono::hours{1}}; }
  base::WallTime wall_now() const override { return base::wall_from_ms(1'795'415'385'000); }
  loop::Handle at(base::Instant, loop::Task) override { return {}; }
  void post(loop::Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }

  // False if nothing was posted in time.
  bool run_one() {
    loop::Task task;
    {
      std::unique_lock lock(mutex_);
      if (!posted_.wait_for(lock, std::chrono::seconds{10}, [this] { return !tasks_.empty(); })) return false;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    return true;
  }
  // Runs what is there, without waiting.
  void run_posted() {
    while (pending() > 0 && run_one()) {
    }
  }
  std::size_t pending() {
    const std::lock_guard lock(mutex_);
    return tasks_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<loop::Task> tasks_;
};

}  // namespace fakes
