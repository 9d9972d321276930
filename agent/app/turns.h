// Work on what the loop owns for another thread, in small turns: however much is asked for, and by however
// many, a turn of the loop does a millisecond of it. Loop thread, but for add().
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "base/time.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace app {

class Turns {
 public:
  // Does a part that takes some ten microseconds; false when it is done. Runs on the loop thread.
  using Work = std::function<bool()>;

  explicit Turns(loop::Scheduler& loop) : loop_(loop) {}
  ~Turns() { *alive_ = false; }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Any thread.
  void add(Work work);

 private:
  static constexpr std::chrono::milliseconds kTurn{1};
  void turn();

  loop::Scheduler& loop_;
  std::deque<Work> works_;  // one part of each after the other
  bool due_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for turns that are posted
};

}  // namespace app
