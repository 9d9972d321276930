// A request that was handed to a worker, over the private socket where CivetWeb listens, and the answer that comes
// back. Loop thread of the front.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "net/wire.h"

namespace web {

class WorkerCall {
 public:
  // `answer` takes a part of the answer; `ended` comes once, when the worker is free again, and may destroy this.
  WorkerCall(loop::EventLoop& loop, base::UniqueFd fd, std::string request,
             std::function<void(std::string_view)> answer, std::function<void()> ended);

  void begin() { go_on(); }
  // The answer waits in the worker, or comes again.
  void hold(bool wait);
  // The answer is not wanted any more: what still comes is thrown away.
  void forget() {
    forgotten_ = true;
    hold(false);
  }

 private:
  void go_on();

  std::unique_ptr<net::Wire> wire_;
  std::string request_;
  std::size_t sent_ = 0;
  std::function<void(std::string_view)> answer_;
  std::function<void()> ended_;
  bool forgotten_ = false;
  bool waits_ = false;
};

}  // namespace web
