// System calls that know no timeout: stat(2) on a network file system that hangs waits until its server is back. Each
// such call is made on a thread of its own, so that neither the loop nor the next call waits for it. Nothing can end
// one; so there is one at a time for a key (who looks at which path), and for all keys no more than kMost threads: what
// hangs costs a thread and not more with each run. Loop thread.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"

namespace loop {

class Scheduler;

class BlockingPool {
 public:
  struct Key {
    std::string who;  // "order/backup"
    std::string path;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  static constexpr base::Millis kPatience{1000};
  virtual ~BlockingPool() = default;
  // Runs `work` elsewhere, then `done` on the loop, in a later turn; an error says that `work` was not begun: the last
  // one of this key has not come back (timeout), or no thread was free for as long as `patience` (limit). Dropping the
  // Handle silences `done` and takes back work that was not begun; other `work` goes on, and must own all that it
  // touches, as it may end after its caller and after the loop.
  virtual Handle run(const Key& key, std::function<void()> work, std::function<void(base::Result<>)> done,
                     base::Millis patience = kPatience) = 0;
};

class ThreadedBlockingPool final : public BlockingPool {
 public:
  static constexpr std::size_t kMost = 32;

  explicit ThreadedBlockingPool(Scheduler& scheduler);
  ~ThreadedBlockingPool() override;  // does not wait: what hangs ends with the process
  Handle run(const Key& key, std::function<void()> work, std::function<void(base::Result<>)> done,
             base::Millis patience = kPatience) override;

 private:
  struct Out;
  std::shared_ptr<Out> out_;  // shared with the threads, which may outlive this
};

}  // namespace loop
