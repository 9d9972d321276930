// Times in which people work on a service and fettle keeps its hands off: by hand (durable, with an end if they say
// one), by windows of the week, and by pause files, for scripts and for those who have only a shell. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/time_zone.h"
#include "recover/plan/maintenance_window.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace state {
class State;
}  // namespace state

namespace recover {

// As configured for one service.
struct MaintenanceTimes {
  std::vector<MaintenanceWindow> windows;
  base::TimeZone zone;
  std::string pause_file;  // while it exists the service's plan waits; "": none
};
std::string usual_pause_file(const std::string& service);

// When maintenance by hand ends: after `length`, or once the service has been healthy for so long, whichever comes
// first; both 0: when it is ended.
struct MaintenanceEnd {
  base::Millis length{0}, until_healthy{0};
};
// Since when a service has been up; none: it is not.
using UpSince = std::function<std::optional<base::WallTime>(const std::string& service)>;

// Why a plan waits, and until when, if that is known.
struct Hold {
  std::string text;
  std::optional<base::WallTime> until{};
};

class Maintenance {
 public:
  Maintenance(state::State& state, loop::Scheduler& scheduler) : state_(state), scheduler_(scheduler) {}

  // By hand. `done` after fsync.
  void begin(const std::string& service, MaintenanceEnd end, const std::string& comment,
             std::function<void(base::Result<>)> done);
  // Services in maintenance until they are healthy that have been, since it began.
  std::vector<std::string> over(const UpSince& up_since) const;
  void end(const std::string& service, std::function<void(base::Result<>)> done);

  // By hand, or by one of the windows of `times`, which may be null.
  std::optional<Hold> hold(const std::string& service, const MaintenanceTimes* times) const;
  // The pause file of all plans, or of this one's.
  std::optional<Hold> pause(const std::string& node_file, const MaintenanceTimes& times) const;

 private:
  state::State& state_;
  loop::Scheduler& scheduler_;
};

}  // namespace recover
