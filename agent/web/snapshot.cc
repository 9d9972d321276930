#include "web/snapshot.h"

#include <utility>

namespace web {

std::shared_ptr<const Snapshot> SnapshotSlot::load() const {
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

std::shared_ptr<const Snapshot> SnapshotSlot::latest() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void SnapshotSlot::store(std::shared_ptr<const Snapshot> next, base::Instant good_until) {
  {
    const std::lock_guard lock(mutex_);
    current_.swap(next);
    good_until_ = good_until;
    outdated_ = false;
    asked_ = false;
  }
  drawn_.notify_all();
}

void SnapshotSlot::outdate() {
  const std::lock_guard lock(mutex_);
  outdated_ = true;
}

void SnapshotSlot::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  drawn_.notify_all();
}

}  // namespace web
