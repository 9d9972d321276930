#include "base/log_limit.h"

namespace base::log {
namespace {

constexpr std::chrono::seconds kSweepEvery{1};

}  // namespace

LineLimit::Verdict LineLimit::take(std::string_view message, Instant now) {
  Verdict verdict;
  if (now >= swept_ + kSweepEvery) sweep(now, verdict);
  auto found = windows_.find(message);
  if (found == windows_.end()) {
    if (windows_.size() >= kMessages) return verdict;
    found = windows_.emplace(message, Window{now + kWindow}).first;
  }
  Window& window = found->second;
  if (++window.lines <= kLines) return verdict;
  ++window.left_out;
  ++left_out_;
  verdict.write = false;
  return verdict;
}

void LineLimit::sweep(Instant now, Verdict& verdict) {
  swept_ = now;
  for (auto at = windows_.begin(); at != windows_.end();) {
    if (now < at->second.until) {
      ++at;
      continue;
    }
    if (at->second.left_out > 0) verdict.ended.push_back({at->first, at->second.left_out});
    at = windows_.erase(at);
  }
}

}  // namespace base::log
