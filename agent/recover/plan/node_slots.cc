#include "recover/plan/node_slots.h"
#include "loop/scheduler.h"

#include <fmt/format.h>

#include <utility>

namespace recover {

void NodeSlots::change(int at_once) {
  at_once_ = at_once;
  if (free_) free_();
}

loop::Handle NodeSlots::acquire(const SlotRequest& request, std::function<void(SlotAnswer)> done,
                                std::function<void(Guard)>) {
  Guard guard = busy(request.service);
  // Taken here and not with the answer: two that ask in one turn do not both get the last one.
  if (guard.open) holders_[request.service] = request.recovery;
  const SlotAnswer::Kind kind = guard.open ? SlotAnswer::Kind::yes : SlotAnswer::Kind::no;
  return scheduler_.after({}, [done = std::move(done), answer = SlotAnswer{kind, std::move(guard)}] { done(answer); });
}

void NodeSlots::release(const std::string& service) {
  if (holders_.erase(service) > 0 && free_) free_();
}

Guard NodeSlots::busy(const std::string& service) const {
  std::vector<std::string> others;
  for (const auto& [holder, recovery] : holders_)
    if (holder != service) others.push_back(holder);
  const auto count = static_cast<int>(others.size());
  const bool holds = holders_.contains(service);
  if (holds || count < at_once_)
    return {GuardName::node_busy, true,
            fmt::format("{} of {} places taken{}{}", count, at_once_, others.empty() ? "" : ", by ",
                        fmt::join(others, ", "))};
  return {GuardName::node_busy, false,
          fmt::format("{} {} being recovered; at most {} at a time", fmt::join(others, ", "), count == 1 ? "is" : "are",
                      at_once_)};
}

}  // namespace recover
