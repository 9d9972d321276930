// What worker threads have asked the loop and wait for. A question is answered once: by the loop, or by close(), which
// the agent calls when its loop has ended, so that no thread waits for a loop that is gone. ask() from any thread but
// the loop's; close() on the loop's thread, after its last turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "loop/scheduler.h"

namespace app {

class Questions {
 public:
  template <typename T>
  using Ask = std::function<void(std::function<void(base::Result<T>)> done)>;

  static constexpr std::chrono::seconds kPatience{5};

  explicit Questions(loop::Scheduler& loop) : loop_(loop) {}

  // Runs `ask` on the loop and waits for what it passes to `done`, for `patience` at the longest. Kind::unavailable if
  // nothing came by then, or if the loop has ended. What the loop had not begun by then is not done any more.
  template <typename T>
  base::Result<T> ask(Ask<T> ask, base::Millis patience = kPatience) {
    const auto answer = std::make_shared<Answer<T>>();
    std::future<base::Result<T>> told = answer->promise.get_future();
    const auto number = open([answer](const base::Error& why) { answer->tell(tl::unexpected<base::Error>(why)); });
    if (!number) return tl::unexpected<base::Error>(stopping());
    loop_.post([this, number = *number, ask = std::move(ask), answer] {
      if (!is_open(number)) return;
      ask([answer](base::Result<T> result) { answer->tell(std::move(result)); });
    });
    const bool came = told.wait_for(patience) == std::future_status::ready;
    forget(*number);
    if (!came) return tl::unexpected<base::Error>(too_late(patience));
    return told.get();
  }

  // The same for an asker who does not wait: `done` is called once, on the loop's thread, or at once if the loop has
  // ended.
  template <typename T>
  void ask_later(Ask<T> ask, std::function<void(base::Result<T>)> done) {
    const auto answer = std::make_shared<LaterAnswer<T>>(LaterAnswer<T>{std::move(done)});
    const auto number = open([answer](const base::Error& why) { answer->tell(tl::unexpected<base::Error>(why)); });
    if (!number) return answer->tell(tl::unexpected<base::Error>(stopping()));
    loop_.post([this, number = *number, ask = std::move(ask), answer] {
      if (!is_open(number)) return;
      ask([this, number, answer](base::Result<T> result) {
        forget(number);
        answer->tell(std::move(result));
      });
    });
  }

  // All that are open are answered with Kind::unavailable, and so is what is asked from now on.
  void close();

 private:
  // Shared with the loop, which may answer when the worker has left. tell() on the loop's thread only.
  template <typename T>
  struct Answer {
    std::promise<base::Result<T>> promise;
    bool told = false;
    void tell(base::Result<T> result) {
      if (!std::exchange(told, true)) promise.set_value(std::move(result));
    }
  };
  template <typename T>
  struct LaterAnswer {
    std::function<void(base::Result<T>)> done;
    void tell(base::Result<T> result) {
      if (const auto tell = std::exchange(done, nullptr)) tell(std::move(result));
    }
  };
  using Refuse = std::function<void(const base::Error& why)>;

  base::Result<std::uint64_t> open(Refuse refuse);
  bool is_open(std::uint64_t number);
  void forget(std::uint64_t number);
  static base::Error stopping();
  static base::Error too_late(base::Millis patience);

  loop::Scheduler& loop_;
  std::mutex mutex_;
  bool closed_ = false;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Refuse> open_;
};

}  // namespace app
