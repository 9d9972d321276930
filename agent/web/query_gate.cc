#include "web/query_gate.h"

#include <algorithm>
#include <chrono>

namespace web {
namespace {

constexpr base::Millis kQuestionEvery{200};  // whether somebody still waits for the answer

}  // namespace

base::Result<QueryGate::Turn> QueryGate::enter(base::Instant deadline, const std::function<bool()>& abandoned,
                                               const std::atomic<bool>* stopping) {
  std::unique_lock lock(mutex_);
  queries_.fetch_add(1);
  const auto give_up = [&](base::Kind kind, const char* text) {
    queries_.fetch_sub(1);
    return base::fail(kind, text);
  };
  while (running_ >= most_) {
    const base::Instant now = base::Clock::now();
    if (now >= deadline) return give_up(base::Kind::timeout, "query timed out in query queue");
    lock.unlock();
    const bool unwanted = (stopping && stopping->load()) || (abandoned && abandoned());
    lock.lock();
    if (unwanted) return give_up(base::Kind::cancelled, "query was canceled in query queue");
    if (running_ >= most_) freed_.wait_until(lock, std::min<base::Instant>(deadline, now + kQuestionEvery));
  }
  ++running_;
  return Turn(this);
}

void QueryGate::leave() {
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  queries_.fetch_sub(1);
  freed_.notify_one();
}

}  // namespace web
