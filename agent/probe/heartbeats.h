// The last heartbeats that services pushed: by unix datagram or by POST with a token. Read by the heartbeat probe; an
// arrival that changes its verdict is an event. Loop thread.
//
// A datagram is "order" (the service lives, a text may follow), "order fail why", or lines as sd_notify(3) sends them:
// SERVICE=order names the service, STATUS= is the text; ERRNO= other than 0, WATCHDOG=trigger and STOPPING=1 mean that
// it is not well; READY=1 and WATCHDOG=1 mean that it is; other keys are passed over.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "loop/handle.h"
#include "os/unit_processes.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace probe {

struct Beat {
  base::Instant at{};
  base::WallTime wall{};
  bool failed = false;  // the service said of itself that it is not well (STATUS=…, "fail")
  std::string text;
};

// Who sent a datagram.
struct BeatSender {
  uid_t user = 0;
  pid_t process = 0;
};

// Whose datagrams count for a name. root's always do.
struct BeatSenders {
  std::optional<uid_t> user;  // this user's only
  std::string unit;           // else those of this unit's processes and users; "": of all who may write to the socket
};

class Heartbeats {
 public:
  explicit Heartbeats(loop::Scheduler& scheduler, os::KernelFiles kernel = {})
      : scheduler_(scheduler), kernel_(std::move(kernel)) {}

  enum class Received { beat, no_name, wrong_sender };
  // One datagram.
  Received receive(std::string_view datagram, const BeatSender& sender);
  // No datagram can come, and why: who has no beat is not silent. hear(): they come again, and silence is measured
  // from then on.
  void hear_nothing(std::string why) { trouble_ = std::move(why); }
  void hear();
  const std::string& trouble() const { return trouble_; }
  // A beat that came another way, with a token.
  void beat(const std::string& service, bool failed, std::string text);
  // Which datagrams count for `service`, while the Handle is held; where several say so, all must agree.
  loop::Handle restrict(const std::string& service, BeatSenders senders);
  std::optional<Beat> last(const std::string& service) const;
  // When this service's beats were first asked for: silence is measured from here until the first beat. Forgotten
  // with the last Handle of watch() for the service.
  base::Instant awaited_since(const std::string& service);
  // From when its silence counts: the last beat, or when it was first awaited. Later, if the agent itself stood still
  // since then for a good part of `allowed`: the socket holds few datagrams, and what came meanwhile is lost.
  base::Instant silent_since(const std::string& service, base::Duration allowed);
  // Calls `on_beat` after each beat of `service` while the Handle is held.
  loop::Handle watch(const std::string& service, std::function<void(const Beat&)> on_beat);

 private:
  struct Watcher;
  struct Restriction;
  struct Silence {
    base::Instant since{};
    base::Duration stalled{};  // of the loop, until then
  };
  bool may_beat(const std::string& service, const BeatSender& sender) const;

  loop::Scheduler& scheduler_;
  const os::KernelFiles kernel_;
  std::string trouble_;
  std::multimap<std::string, BeatSenders> restrictions_;
  std::map<std::string, Beat> beats_;
  std::map<std::string, base::Instant> awaited_;
  std::map<std::string, Silence> silences_;  // of awaited services
  std::multimap<std::string, std::function<void(const Beat&)>*> watchers_;
};

}  // namespace probe
