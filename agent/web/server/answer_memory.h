// One pot of bytes for all answers that are computed, written or being sent: so many clients with wide queries wait for
// each other, and do not take the agent's memory. An eighth of it is for small answers alone, which find room while
// large ones go to slow readers. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "base/time.h"

namespace web {

class AnswerMemory {
 public:
  explicit AnswerMemory(std::size_t most) : most_(most) {}

  // Bytes of one answer; given back when it goes. Empty after a move.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : pot_(std::exchange(other.pot_, nullptr)), bytes_(std::exchange(other.bytes_, 0)), peak_(other.peak_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(pot_, other.pot_);
      std::swap(bytes_, other.bytes_);
      std::swap(peak_, other.peak_);
      return *this;
    }
    ~Share();

    // False if there is no room for more; then it stays as it is. Never waits: who holds some does not wait for more.
    bool resize(std::size_t bytes);
    // The same, if it is smaller than that.
    bool grow_to(std::size_t bytes) { return bytes <= bytes_ || resize(bytes); }
    std::size_t bytes() const { return bytes_; }

   private:
    friend class AnswerMemory;
    Share(AnswerMemory* pot, std::size_t bytes) : pot_(pot), bytes_(bytes), peak_(bytes) {}
    AnswerMemory* pot_ = nullptr;  // null: not counted
    std::size_t bytes_ = 0;
    std::size_t peak_ = 0;
  };

  // Waits until `deadline` for so many bytes, or half the pot if that is less. Errors have the words of Prometheus'
  // queue: Kind::timeout, cancelled.
  base::Result<Share> take(std::size_t bytes, base::Instant deadline, const std::function<bool()>& abandoned,
                           const std::atomic<bool>* stopping);

  std::size_t most() const { return most_; }
  std::size_t used() const { return used_.load(); }

 private:
  void give_back(std::size_t bytes, std::size_t peak);
  // Up to where the pot may be filled by an answer of this size.
  std::size_t brim(std::size_t bytes) const { return bytes > most_ / 64 ? most_ - most_ / 8 : most_; }

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::atomic<std::size_t> used_{0};  // changed under the mutex
  std::size_t large_since_trim_ = 0;
};

}  // namespace web
