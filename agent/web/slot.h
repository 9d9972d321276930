// Where the loop leaves what it has drawn for pages, and workers take it: a mutex held for a pointer copy. Nothing is
// drawn while no client looks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "base/time.h"

namespace web {

template <typename T>
class Slot {
 public:
  // How long a page waits for a new one. A loop that is too busy to draw one leaves it the old one.
  static constexpr std::chrono::milliseconds kPatience{1000};

  // The newest; where it is out of date, a new one is asked for and waited for. Any thread but the loop's.
  std::shared_ptr<const T> load() const {
    std::unique_lock lock(mutex_);
    if (is_good() || !draw_) return current_;
    if (!std::exchange(asked_, true)) {
      // Not under the lock: the loop may be about to store one.
      lock.unlock();
      draw_();
      lock.lock();
    }
    drawn_.wait_for(lock, kPatience, [this] { return is_good(); });
    return current_;
  }
  // The newest there is, without waiting: for what stands in every one from the turn on in which it changed.
  std::shared_ptr<const T> latest() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  // Loop thread. It counts as new until `good_until`, whatever changes, and from then on until outdate().
  void store(std::shared_ptr<const T> next, base::Instant good_until = {}) {
    {
      const std::lock_guard lock(mutex_);
      current_.swap(next);
      good_until_ = good_until;
      outdated_ = false;
      asked_ = false;
    }
    drawn_.notify_all();
  }
  // Something in the current one is not so any more.
  void outdate() {
    const std::lock_guard lock(mutex_);
    outdated_ = true;
  }
  // The same, and it does not count as new any more.
  void expire() {
    const std::lock_guard lock(mutex_);
    outdated_ = true;
    good_until_ = {};
  }
  // There will be no other: waiting for one ends, now and later.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    drawn_.notify_all();
  }
  // How to ask for a new one; called from any thread, once for each. Before the first load().
  void on_wanted(std::function<void()> draw) { draw_ = std::move(draw); }

 private:
  bool is_good() const { return closed_ || !outdated_ || base::Clock::now() < good_until_; }

  mutable std::mutex mutex_;
  mutable std::condition_variable drawn_;
  std::shared_ptr<const T> current_ = std::make_shared<const T>();
  bool outdated_ = false;
  bool closed_ = false;
  base::Instant good_until_{};
  mutable bool asked_ = false;
  std::function<void()> draw_;
};

}  // namespace web
