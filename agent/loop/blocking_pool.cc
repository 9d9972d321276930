#include "loop/blocking_pool.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "base/thread.h"
#include "loop/scheduler.h"

namespace loop {

// The calls that are out. `mutex` protects `scheduler`, which a thread asks for when its call came back; the rest is
// the loop thread's.
struct ThreadedBlockingPool::Out {
  std::mutex mutex;
  Scheduler* scheduler;  // null once nobody waits any more
  std::set<Key> keys;
  std::map<std::uint64_t, std::function<void(base::Result<>)>> waiting;
  std::uint64_t last = 0;

  explicit Out(Scheduler& s) : scheduler(&s) {}

  void came_back(const Key& key, std::uint64_t number) {
    keys.erase(key);
    const auto found = waiting.extract(number);
    if (found) found.mapped()({});
  }
};

ThreadedBlockingPool::ThreadedBlockingPool(Scheduler& scheduler) : out_(std::make_shared<Out>(scheduler)) {}

ThreadedBlockingPool::~ThreadedBlockingPool() {
  const std::lock_guard lock(out_->mutex);
  out_->scheduler = nullptr;
}

Handle ThreadedBlockingPool::run(const Key& key, std::function<void()> work, std::function<void(base::Result<>)> done) {
  Scheduler& scheduler = *out_->scheduler;
  base::Result<> begun;
  if (out_->keys.contains(key))
    begun = base::fail(base::Kind::timeout, fmt::format("the last look at {} has not come back: it hangs", key.path));
  else if (out_->keys.size() >= kMost)
    begun = base::fail(base::Kind::limit, fmt::format("{} calls hang already; {} was not looked at", kMost, key.path));
  const std::uint64_t number = ++out_->last;
  if (begun) {
    auto started = base::start_thread("for a call that may hang", [out = out_, key, number, work = std::move(work)] {
      work();
      const std::lock_guard lock(out->mutex);
      if (out->scheduler == nullptr) return;
      // A task that the loop has no more turn for goes with the loop, and holds nothing of it.
      out->scheduler->post([out, key, number] { out->came_back(key, number); });
    });
    if (started) started->detach();
    else begun = base::Result<>(tl::unexpected<base::Error>(started.error()));
  }
  if (!begun)
    return scheduler.at(scheduler.now(),
                        [done = std::move(done), error = begun.error()] { done(tl::unexpected<base::Error>(error)); });
  struct Waiter final : Registration {
    Waiter(std::shared_ptr<Out> o, std::uint64_t n) : out(std::move(o)), number(n) {}
    ~Waiter() override { out->waiting.erase(number); }
    std::shared_ptr<Out> out;
    std::uint64_t number;
  };
  out_->keys.insert(key);
  out_->waiting.emplace(number, std::move(done));
  return Handle(std::make_unique<Waiter>(out_, number));
}

}  // namespace loop
