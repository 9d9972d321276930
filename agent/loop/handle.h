// What every asynchronous call of the program returns. Its owner keeps it as long as it wants the answer.
#pragma once

#include <memory>
#include <utility>

namespace loop {

// Something that stops when its owner drops it: a timer, a watch, a transfer, a process. After the drop its callback
// never runs again, also when the drop happens inside that very callback.
class Registration {
 public:
  virtual ~Registration() = default;
};

class [[nodiscard]] Handle {
 public:
  Handle() = default;
  explicit Handle(std::unique_ptr<Registration> registration) : registration_(std::move(registration)) {}
  void reset() { registration_.reset(); }
  explicit operator bool() const { return registration_ != nullptr; }

 private:
  std::unique_ptr<Registration> registration_;
};

}  // namespace loop
