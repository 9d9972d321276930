#include "loop/timer_heap.h"

namespace loop {

TimerHeap::Timer::Timer(TimerHeap& heap, base::Instant when, Task task)
    : heap_(heap), when_(when), number_(heap.next_++), task_(std::move(task)) {
  heap_.add(*this);
}

TimerHeap::Timer::~Timer() {
  if (place_ != kNowhere) heap_.remove(*this);
}

Task TimerHeap::take_first() {
  Timer& timer = *timers_.front();
  remove(timer);
  return std::move(timer.task_);
}

void TimerHeap::add(Timer& timer) {
  timers_.push_back(&timer);
  sift_up(timers_.size() - 1);
}

void TimerHeap::remove(Timer& timer) {
  const std::size_t place = timer.place_;
  timer.place_ = Timer::kNowhere;
  Timer* last = timers_.back();
  timers_.pop_back();
  if (last == &timer) return;
  put(place, last);
  sift_up(place);
  sift_down(last->place_);
}

void TimerHeap::put(std::size_t place, Timer* timer) {
  timers_[place] = timer;
  timer->place_ = place;
}

void TimerHeap::sift_up(std::size_t place) {
  Timer* timer = timers_[place];
  while (place > 0) {
    const std::size_t parent = (place - 1) / 2;
    if (!timer->before(*timers_[parent])) break;
    put(place, timers_[parent]);
    place = parent;
  }
  put(place, timer);
}

void TimerHeap::sift_down(std::size_t place) {
  Timer* timer = timers_[place];
  for (;;) {
    std::size_t child = 2 * place + 1;
    if (child >= timers_.size()) break;
    if (child + 1 < timers_.size() && timers_[child + 1]->before(*timers_[child])) ++child;
    if (!timers_[child]->before(*timer)) break;
    put(place, timers_[child]);
    place = child;
  }
  put(place, timer);
}

}  // namespace loop
