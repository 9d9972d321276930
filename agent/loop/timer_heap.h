// Timers in order of their instant, then of their making; a binary heap whose entries know their place, so that the
// most frequent end of a timer (dropped before it is due) costs no search. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "loop/scheduler.h"

namespace loop {

class TimerHeap {
 public:
  // Owned by the holder of its Handle; the heap knows it until it is taken or dropped.
  class Timer final : public Registration {
   public:
    Timer(TimerHeap& heap, base::Instant when, Task task);
    ~Timer() override;
    base::Instant when() const { return when_; }
    std::uint64_t number() const { return number_; }

   private:
    friend class TimerHeap;
    static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
    bool before(const Timer& other) const {
      return when_ != other.when_ ? when_ < other.when_ : number_ < other.number_;
    }
    TimerHeap& heap_;
    base::Instant when_;
    std::uint64_t number_;
    std::size_t place_ = kNowhere;
    Task task_;
  };

  const Timer* first() const { return timers_.empty() ? nullptr : timers_.front(); }
  Task take_first();                                   // removes it; not empty
  std::uint64_t next_number() const { return next_; }  // timers made from now on have this or a greater number

 private:
  void add(Timer& timer);
  void remove(Timer& timer);
  void put(std::size_t place, Timer* timer);
  void sift_up(std::size_t place);
  void sift_down(std::size_t place);

  std::vector<Timer*> timers_;
  std::uint64_t next_ = 0;
};

}  // namespace loop
