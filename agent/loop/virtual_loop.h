// A Scheduler whose clock stands still until advance() moves it: for replays of what was recorded, and for tests. Two
// hours of probing pass in microseconds. Tasks run in order of time, then of registration. Monotonic and wall time move
// together unless jump_wall() sets the wall clock. One thread, post() too.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "loop/scheduler.h"

namespace loop {

class VirtualLoop : public Scheduler {
 public:
  explicit VirtualLoop(base::WallTime wall = base::wall_from_ms(1'700'000'000'000)) : wall_(wall) {}

  base::Instant now() const override { return now_; }
  base::WallTime wall_now() const override { return wall_; }
  void post(Task task) override { posted_.push_back(std::move(task)); }

  Handle at(base::Instant when, Task task) override {
    const Key key{std::max(when, now_), next_++};
    timers_.emplace(key, std::move(task));
    return Handle(std::make_unique<Timer>(alive_, *this, key));
  }

  // Runs everything that is due up to now + d, in order, moving the clock from one to the next.
  void advance(base::Duration d) {
    const base::Instant end = now_ + d;
    run_posted();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      auto due = timers_.extract(timers_.begin());
      move_to(due.key().first);
      due.mapped()();
      run_posted();
    }
    move_to(end);
  }
  // Everything posted and everything due now, until nothing is left.
  void run_due() { advance(base::Duration{0}); }
  // The wall clock is set, as ntpd or an operator would.
  void jump_wall(base::Millis by) { wall_ += by; }
  std::size_t timers() const { return timers_.size(); }

 protected:
  void move_to(base::Instant t) {
    if (t <= now_) return;
    residue_ += t - now_;
    now_ = t;
    const auto whole = std::chrono::duration_cast<base::Millis>(residue_);
    wall_ += whole;
    residue_ -= whole;
  }

 private:
  using Key = std::pair<base::Instant, std::uint64_t>;
  struct Timer final : Registration {
    Timer(std::weak_ptr<bool> alive_loop, VirtualLoop& owner, Key k)
        : alive(std::move(alive_loop)), loop(owner), key(k) {}
    ~Timer() override {
      if (!alive.expired()) loop.timers_.erase(key);
    }
    std::weak_ptr<bool> alive;
    VirtualLoop& loop;
    Key key;
  };

  void run_posted() {
    while (!posted_.empty()) {
      Task task = std::move(posted_.front());
      posted_.pop_front();
      task();
    }
  }

  base::Instant now_{std::chrono::hours{1}};
  base::WallTime wall_;
  base::Duration residue_{};
  std::uint64_t next_ = 0;
  std::map<Key, Task> timers_;
  std::deque<Task> posted_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace loop
