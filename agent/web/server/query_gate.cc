#include "web/server/query_gate.h"

#include "web/server/wait.h"

namespace web {

base::Result<QueryGate::Permit> QueryGate::enter(Weight weight, base::Instant deadline,
                                                 const std::function<bool()>& abandoned,
                                                 const std::atomic<bool>* stopping) {
  std::unique_lock lock(mutex_);
  queries_.fetch_add(1);
  const auto is_free = [&] { return running_ < most_ && (weight == Weight::light || heavy_ < most_heavy_); };
  if (const auto waited = wait_for_turn(lock, freed_, {deadline, abandoned, stopping}, is_free); !waited) {
    queries_.fetch_sub(1);
    return tl::unexpected<base::Error>(waited.error());
  }
  ++running_;
  if (weight == Weight::heavy) ++heavy_;
  return Permit(this, weight);
}

void QueryGate::leave(Weight weight) {
  {
    const std::lock_guard lock(mutex_);
    --running_;
    if (weight == Weight::heavy) --heavy_;
  }
  queries_.fetch_sub(1);
  freed_.notify_all();  // who can take the permit may be any of those who wait
}

}  // namespace web
