// A bounded number of places for one kind of work, so that it cannot take all threads. Any thread.
#pragma once

#include <atomic>

namespace web {

class Places {
 public:
  explicit Places(int most) : left_(most) {}

  // Holds a place while it lives, if there was one.
  class Place {
   public:
    explicit Place(std::atomic<int>* left) : left_(left) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (left_) left_->fetch_add(1);
    }
    explicit operator bool() const { return left_ != nullptr; }

   private:
    std::atomic<int>* left_;
  };

  Place take() {
    if (left_.fetch_sub(1) > 0) return Place(&left_);
    left_.fetch_add(1);
    return Place(nullptr);
  }

 private:
  std::atomic<int> left_;
};

}  // namespace web
