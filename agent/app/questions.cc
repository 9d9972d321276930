#include "app/questions.h"

#include <fmt/format.h>

namespace app {

void Questions::close() {
  std::map<std::uint64_t, Refuse> open;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    open.swap(open_);
  }
  for (const auto& [number, refuse] : open) refuse(stopping());
}

base::Result<std::uint64_t> Questions::open(Refuse refuse) {
  const std::lock_guard lock(mutex_);
  if (closed_) return tl::unexpected<base::Error>(stopping());
  open_.emplace(++last_, std::move(refuse));
  return last_;
}

bool Questions::is_open(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  return open_.contains(number);
}

void Questions::forget(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  open_.erase(number);
}

base::Error Questions::stopping() {
  return {base::Kind::unavailable, "the agent is stopping; try again when it is back"};
}

base::Error Questions::too_late(base::Millis patience) {
  return {base::Kind::unavailable, fmt::format("the agent did not answer within {}: its loop is busy; try again",
                                               base::format_duration(patience))};
}

}  // namespace app
