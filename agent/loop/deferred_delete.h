// Deferred delete: what may be on the call stack right now, because one of its callbacks led here, is taken out of use
// at once and deleted in a later turn. The object's own cut() takes it out of use: from then on it calls
// no callback, also for what was ready in this very turn. Objects go in the order in which they came; what one of them
// uses comes after it. What is left goes with the list, so an object may use whatever its list's owner declared before.
// Loop thread.
#pragma once

#include <concepts>
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "loop/scheduler.h"

namespace loop {

template <typename T>
concept Cuttable = requires(T& object) {
  { object.cut() } -> std::same_as<void>;
};

class DeferredDelete {
 public:
  explicit DeferredDelete(Scheduler& scheduler) : scheduler_(scheduler) {}
  ~DeferredDelete() { clear(); }
  DeferredDelete(const DeferredDelete&) = delete;
  DeferredDelete& operator=(const DeferredDelete&) = delete;

  // Null is nothing to do.
  template <Cuttable T>
  void add(std::unique_ptr<T> object) {
    if (!object) return;
    object->cut();
    objects_.push_back(Object(object.release(), [](void* gone) { delete static_cast<T*>(gone); }));
    if (!turn_) turn_ = scheduler_.at(scheduler_.now(), [this] { clear(); });
  }
  std::size_t size() const { return objects_.size(); }

 private:
  using Object = std::unique_ptr<void, void (*)(void*)>;

  // A destructor may add another one.
  void clear() {
    const Handle own = std::move(turn_);
    while (!objects_.empty()) {
      const Object gone = std::move(objects_.front());
      objects_.pop_front();
    }
    turn_.reset();
  }

  Scheduler& scheduler_;
  std::deque<Object> objects_;
  Handle turn_;
};

}  // namespace loop
