// The last heartbeats that services pushed: by unix datagram or by POST with a token. Read by the heartbeat probe; an
// arrival that changes its verdict is an event. Loop thread.
//
// A datagram is "order" (the service lives, a text may follow), "order fail why", or lines as sd_notify(3) sends them:
// SERVICE=order names the service, STATUS= is the text; ERRNO= other than 0, WATCHDOG=trigger and STOPPING=1 mean that
// it is not well; READY=1 and WATCHDOG=1 mean that it is; other keys are passed over.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "loop/scheduler.h"

namespace probe {

struct Beat {
  base::Instant at{};
  base::WallTime wall{};
  bool failed = false;  // the service said of itself that it is not well (STATUS=…, "fail")
  std::string text;
};

class Heartbeats {
 public:
  explicit Heartbeats(loop::Scheduler& scheduler) : scheduler_(scheduler) {}
  // One datagram. False if it names no service.
  bool receive(std::string_view datagram);
  void beat(const std::string& service, bool failed, std::string text);
  std::optional<Beat> last(const std::string& service) const;
  // When somebody first asked for this service's beats: silence is measured from here until the first beat.
  base::Instant awaited_since(const std::string& service);
  // Calls `on_beat` after each beat of `service` while the Handle is held.
  loop::Handle watch(const std::string& service, std::function<void(const Beat&)> on_beat);

 private:
  struct Watcher;
  loop::Scheduler& scheduler_;
  std::map<std::string, Beat> beats_;
  std::map<std::string, base::Instant> awaited_;
  std::multimap<std::string, std::function<void(const Beat&)>*> watchers_;
};

}  // namespace probe
