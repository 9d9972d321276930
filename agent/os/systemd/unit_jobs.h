// Jobs on units that systemd was asked for, each until its end; Systemd::run_job says what an end is. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/event_loop.h"
#include "loop/handle.h"

namespace os {

class BusConnection;

class UnitJobs {
 public:
  explicit UnitJobs(loop::EventLoop& loop) : loop_(loop) {}

  static bool has_verb(std::string_view verb);

  bool empty() const { return jobs_.empty(); }
  // `connection` lives until lost(). May call those that wait for the end of a job.
  void connected(BusConnection& connection);
  void lost();
  // While connected. `verb` is one that there is.
  loop::Handle run(std::string_view verb, const std::string& unit, base::Instant deadline,
                   std::function<void(base::Result<std::string>)> done);
  struct Signal {
    const char* whom;  // main, all
    int number;
  };
  // While connected; "done" when it was sent.
  loop::Handle send_signal(const std::string& unit, Signal signal, base::Instant deadline,
                           std::function<void(base::Result<std::string>)> done);
  // What the signal JobRemoved says.
  void removed(const std::string& path, const std::string& result);

 private:
  class Job;

  loop::EventLoop& loop_;
  BusConnection* connection_ = nullptr;
  std::vector<Job*> jobs_;
  std::deque<std::pair<std::string, std::string>> ended_;  // path and result: a signal may overtake its reply
};

}  // namespace os
