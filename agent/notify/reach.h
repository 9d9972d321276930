// Whether a target takes what it is sent, as the log tells it: one line when it begins to fail, one now and then while
// it goes on, one when it works again. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/time.h"
#include "loop/handle.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace notify {

class Reach {
 public:
  static constexpr base::Millis kSayAgain{10 * 60 * 1000};

  // `waiting`: how much is still to be told.
  Reach(loop::Scheduler& scheduler, std::string receiver, std::string target, std::function<std::size_t()> waiting);

  void rename(std::string target) { target_ = std::move(target); }
  void failed(const std::string& error);
  // Something was taken; other messages may fail on.
  enum class Rest { fails, fine };
  void taken(Rest rest);

  bool failing() const { return since_.has_value(); }
  std::optional<base::WallTime> failing_since() const;
  const std::string& last_error() const { return last_error_; }  // "" when it works
  std::optional<base::WallTime> last_taken() const { return last_taken_; }

 private:
  std::string lasted() const;
  void say_again();

  loop::Scheduler& scheduler_;
  std::string receiver_, target_;
  std::function<std::size_t()> waiting_;
  std::optional<base::Instant> since_;
  std::size_t failures_ = 0;
  std::string last_error_;
  std::optional<base::WallTime> last_taken_;
  loop::Handle timer_;
};

}  // namespace notify
