// The output of a program, bounded: the first half of the limit and the last half are kept, because a failure explains
// itself at the beginning or at the end.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace os {

class CappedOutput {
 public:
  explicit CappedOutput(std::size_t limit) : head_limit_(limit / 2), tail_limit_(limit - limit / 2) {}
  void append(std::string_view bytes);
  // With "… N bytes left out …" on a line of its own where the middle was. Characters of UTF-8 stay whole.
  std::string text() const;

 private:
  std::size_t head_limit_, tail_limit_;
  std::size_t total_ = 0;
  std::string head_;
  std::string tail_;  // up to twice its limit, so that the front is cut off seldom
};

}  // namespace os
