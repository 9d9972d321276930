// A bounded number of permits for one kind of work, so that it cannot take all threads. Any thread.
#pragma once

#include <atomic>

namespace web {

class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(int most) : left_(most) {}

  // Holds a permit while it lives, if there was one.
  class Permit {
   public:
    explicit Permit(std::atomic<int>* left) : left_(left) {}
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit() {
      if (left_) left_->fetch_add(1);
    }
    explicit operator bool() const { return left_ != nullptr; }

   private:
    std::atomic<int>* left_;
  };

  Permit take() {
    if (left_.fetch_sub(1) > 0) return Permit(&left_);
    left_.fetch_add(1);
    return Permit(nullptr);
  }

 private:
  std::atomic<int> left_;
};

}  // namespace web
