// So many queries run at a time, the others wait for their turn, as in Prometheus' engine (--query.max-concurrency).
// Of these heavy queries get half at most, so that a light one never waits for the end of twenty heavy ones.
// What waits gives up when its time is over, its client has left, or the server ends. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/time.h"

namespace web {

class QueryGate {
 public:
  explicit QueryGate(int most) : most_(most), most_heavy_(most > 1 ? most / 2 : 1) {}

  enum class Weight { light, heavy };

  // Given back when it goes.
  class Permit {
   public:
    Permit(Permit&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), weight_(other.weight_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (gate_) gate_->leave(weight_);
    }

   private:
    friend class QueryGate;
    Permit(QueryGate* gate, Weight weight) : gate_(gate), weight_(weight) {}
    QueryGate* gate_;
    Weight weight_;
  };

  // Waits until `deadline`. Errors have Prometheus' words: Kind::timeout, cancelled.
  base::Result<Permit> enter(Weight weight, base::Instant deadline, const std::function<bool()>& abandoned,
                             const std::atomic<bool>* stopping);

  enum class End { success, error, timeout, canceled };
  static constexpr std::array<std::string_view, 4> kEnds{"success", "error", "timeout", "canceled"};
  void ended(End end) { ends_[static_cast<std::size_t>(end)].fetch_add(1); }

  int most() const { return most_; }
  int queries() const { return queries_.load(); }  // that run or wait
  std::uint64_t ended_so_far(End end) const { return ends_[static_cast<std::size_t>(end)].load(); }

 private:
  void leave(Weight weight);

  const int most_;
  const int most_heavy_;
  std::mutex mutex_;
  std::condition_variable freed_;
  int running_ = 0;
  int heavy_ = 0;  // of them
  std::atomic<int> queries_{0};
  std::array<std::atomic<std::uint64_t>, 4> ends_{};
};

}  // namespace web
