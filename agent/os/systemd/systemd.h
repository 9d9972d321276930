// systemd over D-Bus (sd-bus) on the event loop: units' state by event, jobs with their result. The only user of
// sd-bus. Reading needs no privilege; jobs need a polkit rule for the unit and verb.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "os/systemd/unit_state.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace os {

class Systemd {
 public:
  virtual ~Systemd() = default;
  // The state now, and after every change; a change while its properties are read may show once as a mixture of both.
  // In later turns. An error (no bus, no such unit) is told the same way; the watch goes on and reconnects.
  virtual loop::Handle watch_unit(const std::string& unit,
                                  std::function<void(const base::Result<UnitState>&)> on_state) = 0;
  virtual loop::Handle read_unit(const std::string& unit, base::Instant deadline,
                                 std::function<void(base::Result<UnitState>)> done) = 0;
  // verb: start, stop, restart, reload, reload-or-restart, try-restart, reset-failed. `done` when the job ended:
  // "done", "failed", "canceled", "timeout", "dependency", "skipped"; or an error: permission (polkit), cancelled
  // (another job on the unit contradicts this one; nothing was done). A job that the shutdown of the node pushes aside
  // has no end: `done` is not called before the deadline. This process is stopped long before that, so that what waits
  // for the job is found unfinished, and not failed, after the boot. The shutdown takes the bus away too, at times
  // before anything else: a job whose bus is lost ends as unavailable, but only when systemd answers again and the node
  // stays up.
  virtual loop::Handle run_job(const std::string& verb, const std::string& unit, base::Instant deadline,
                               std::function<void(base::Result<std::string>)> done) = 0;
  // Sends a signal to processes of the unit: to its main one, or to all in its control group. systemd finds them at the
  // moment of the signal, so that it meets no stranger. `done` when it was sent, or with an error: permission (polkit,
  // verb kill), not_found (the main process is not there). To all, where there is none, is no error.
  enum class Whom { main, all };
  virtual loop::Handle signal_unit(const std::string& unit, Whom whom, int signal, base::Instant deadline,
                                   std::function<void(base::Result<>)> done) = 0;
};

class SdBusSystemd final : public Systemd {
 public:
  // `address` "": the system bus; else a D-Bus address (tests). Connects lazily.
  SdBusSystemd(loop::EventLoop& loop, std::string address = "");
  ~SdBusSystemd() override;
  loop::Handle watch_unit(const std::string& unit,
                          std::function<void(const base::Result<UnitState>&)> on_state) override;
  loop::Handle read_unit(const std::string& unit, base::Instant deadline,
                         std::function<void(base::Result<UnitState>)> done) override;
  loop::Handle run_job(const std::string& verb, const std::string& unit, base::Instant deadline,
                       std::function<void(base::Result<std::string>)> done) override;
  loop::Handle signal_unit(const std::string& unit, Whom whom, int signal, base::Instant deadline,
                           std::function<void(base::Result<>)> done) override;

 private:
  struct Bus;
  std::unique_ptr<Bus> bus_;
};

// sd_notify(3). No-ops without $NOTIFY_SOCKET.
void notify_systemd(const std::string& state);  // "READY=1", "RELOADING=1\nMONOTONIC_USEC=…", "STATUS=…", "WATCHDOG=1"
base::Duration watchdog_interval();             // half of WatchdogSec; 0: no watchdog

}  // namespace os
