// How many lines of one message the log takes: a fault that repeats itself without end must not fill the disk, nor push
// other lines out of the journal.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace base::log {

// One thread at a time.
class LineLimit {
 public:
  static constexpr std::uint64_t kLines = 500;
  static constexpr std::chrono::seconds kWindow{10};
  static constexpr std::size_t kMessages = 1'000;  // that are watched; others are not limited

  struct LeftOut {
    std::string message;
    std::uint64_t lines = 0;
  };
  struct Verdict {
    bool write = true;
    std::vector<LeftOut> ended{};  // of windows that are over: to be told
  };
  Verdict take(std::string_view message, Instant now);
  std::uint64_t left_out() const { return left_out_; }  // in all

 private:
  struct Window {
    Instant until{};
    std::uint64_t lines = 0, left_out = 0;
  };
  void sweep(Instant now, Verdict& verdict);

  std::map<std::string, Window, std::less<>> windows_;
  Instant swept_{};
  std::uint64_t left_out_ = 0;
};

// Of the log of this process, since the start. From every thread.
std::uint64_t lines_left_out();

}  // namespace base::log
