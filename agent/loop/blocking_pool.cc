#include "loop/blocking_pool.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "base/thread.h"
#include "loop/scheduler.h"

namespace loop {

// The calls that are out, and those that wait for a thread. `mutex` protects `scheduler`, which a thread asks for when
// its call came back; the rest is the loop thread's.
struct ThreadedBlockingPool::Out : std::enable_shared_from_this<Out> {
  struct Waiting {
    Key key;
    std::function<void()> work;
    Handle patience;
  };
  std::mutex mutex;
  Scheduler* scheduler;  // null once nobody waits any more
  std::set<Key> keys;
  std::map<std::uint64_t, std::function<void(base::Result<>)>> asked;  // by the number of the call
  std::map<std::uint64_t, Waiting> queue;
  std::uint64_t last = 0;

  explicit Out(Scheduler& s) : scheduler(&s) {}

  base::Result<> begin(std::uint64_t number, const Key& key, std::function<void()> work) {
    if (keys.contains(key))
      return base::fail(base::Kind::timeout, fmt::format("the last look at {} has not come back: it hangs", key.path));
    TRY(auto thread,
        base::start_thread("for a call that may hang", [out = shared_from_this(), key, number, work = std::move(work)] {
          work();
          const std::lock_guard lock(out->mutex);
          if (out->scheduler == nullptr) return;
          // A task that the loop has no more turn for goes with the loop, and holds
          // nothing of it.
          out->scheduler->post([out, key, number] { out->came_back(key, number); });
        }));
    thread.detach();
    keys.insert(key);
    return {};
  }

  void tell(std::uint64_t number, const base::Result<>& result) {
    auto found = asked.extract(number);
    if (found) found.mapped()(result);
  }

  void came_back(const Key& key, std::uint64_t number) {
    keys.erase(key);
    tell(number, {});
    while (!queue.empty() && keys.size() < kMost) {
      auto next = queue.extract(queue.begin());
      const base::Result<> begun = begin(next.key(), next.mapped().key, std::move(next.mapped().work));
      if (!begun) tell(next.key(), begun);
    }
  }

  void gave_up(std::uint64_t number) {
    const auto found = queue.extract(number);
    tell(number, base::fail(base::Kind::limit, fmt::format("{} calls hang already; {} was not looked at", kMost,
                                                           found.mapped().key.path)));
  }
};

ThreadedBlockingPool::ThreadedBlockingPool(Scheduler& scheduler) : out_(std::make_shared<Out>(scheduler)) {}

ThreadedBlockingPool::~ThreadedBlockingPool() {
  out_->queue.clear();
  const std::lock_guard lock(out_->mutex);
  out_->scheduler = nullptr;
}

Handle ThreadedBlockingPool::run(const Key& key, std::function<void()> work, std::function<void(base::Result<>)> done,
                                 base::Millis patience) {
  Scheduler& scheduler = *out_->scheduler;
  const std::uint64_t number = ++out_->last;
  if (out_->keys.size() >= kMost && !out_->keys.contains(key)) {
    Handle timer = scheduler.at(scheduler.now() + patience, [out = out_.get(), number] { out->gave_up(number); });
    out_->queue.emplace(number, Out::Waiting{key, std::move(work), std::move(timer)});
  } else if (const base::Result<> begun = out_->begin(number, key, std::move(work)); !begun) {
    return scheduler.at(scheduler.now(),
                        [done = std::move(done), error = begun.error()] { done(tl::unexpected<base::Error>(error)); });
  }
  struct Caller final : Registration {
    Caller(std::shared_ptr<Out> o, std::uint64_t n) : out(std::move(o)), number(n) {}
    ~Caller() override {
      out->asked.erase(number);
      out->queue.erase(number);
    }
    std::shared_ptr<Out> out;
    std::uint64_t number;
  };
  out_->asked.emplace(number, std::move(done));
  return Handle(std::make_unique<Caller>(out_, number));
}

}  // namespace loop
