// The fault itself, in the systemd unit of a service: by signals, which systemd sends for us. That needs the verb
// `kill` for this unit in the polkit rule, and `start` where the fault ends the process. Not by FreezeUnit: systemd 252
// has it for root only. Not by CPUQuota=: a quota stays with the unit, so that no restart cures it, and setting it back
// leaves a drop-in behind. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "loop/handle.h"
#include "os/systemd/systemd.h"
#include "recover/drill/fault_report.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace recover {

class FaultInjection {
 public:
  // Of slow: so long all stand still, so long they run.
  static constexpr base::Millis kStill{3'000}, kRuns{100};

  FaultInjection(loop::Scheduler& scheduler, os::Systemd& systemd) : scheduler_(scheduler), systemd_(systemd) {}

  // `done` once, in a later turn: it is there; or permission or not_found, and it is not; or it may be.
  void inject(Fault fault, const std::string& unit, std::function<void(base::Result<>)> done);
  // `done` once, in a later turn: nothing of it is left. A process that ended is started again, unless systemd or
  // people are about to. After an error it is to be tried again.
  void undo(Fault fault, const std::string& unit, std::function<void(base::Result<>)> done);

 private:
  using Done = std::function<void(base::Result<>)>;

  void send(os::Systemd::Whom whom, int signal, Done done);
  void slow_down();
  void stand_still();
  void start_again(Fault fault);
  void end(base::Result<> result);

  loop::Scheduler& scheduler_;
  os::Systemd& systemd_;
  std::string unit_;
  pid_t slowed_ = 0;  // the main process that is slow: the one after it is not
  Done done_;
  loop::Handle step_, slow_;
};

}  // namespace recover
