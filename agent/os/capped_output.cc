#include "os/capped_output.h"

#include <fmt/format.h>

#include <algorithm>

namespace os {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

}  // namespace

void CappedOutput::append(std::string_view bytes) {
  total_ += bytes.size();
  const std::size_t to_head = std::min(bytes.size(), head_limit_ - head_.size());
  head_ += bytes.substr(0, to_head);
  bytes.remove_prefix(to_head);
  if (bytes.size() > tail_limit_) bytes.remove_prefix(bytes.size() - tail_limit_);
  tail_ += bytes;
  if (tail_.size() > 2 * tail_limit_) tail_.erase(0, tail_.size() - tail_limit_);
}

std::string CappedOutput::text() const {
  if (total_ <= head_limit_ + tail_limit_) return head_ + tail_;
  std::string_view head = head_, tail = tail_;
  tail.remove_prefix(tail.size() - std::min(tail.size(), tail_limit_));
  // At most three bytes each way: what is no UTF-8 is cut where it is.
  for (int i = 0; i < 3 && !tail.empty() && continues(tail.front()); ++i) tail.remove_prefix(1);
  std::size_t back = 0;
  while (back < 3 && back < head.size() && continues(head[head.size() - 1 - back])) ++back;
  if (back < head.size()) {
    const auto lead = static_cast<unsigned char>(head[head.size() - 1 - back]);
    const std::size_t wants = lead >= 0xf0u ? 3 : lead >= 0xe0u ? 2 : lead >= 0xc0u ? 1 : 0;
    if (wants > back) head.remove_suffix(back + 1);
  }
  return fmt::format("{}\n… {} bytes left out …\n{}", head, total_ - head.size() - tail.size(), tail);
}

}  // namespace os
