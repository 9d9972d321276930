// A unit as systemd shows it: properties of org.freedesktop.systemd1.Unit and .Service, in their words.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace os {

struct UnitState {
  std::string load;    // loaded, not-found, masked …
  std::string active;  // active, reloading, refreshing, inactive, failed, activating, deactivating
  std::string sub;     // running, dead, auto-restart …
  std::string result;  // success, exit-code, signal, core-dump, watchdog, oom-kill, timeout, start-limit-hit …
  std::string job{};   // its job that has not ended: start, stop, restart …; "": none
  std::uint32_t restarts = 0;  // NRestarts
  pid_t main_pid = 0;
  int exec_main_code = 0;                        // CLD_EXITED, CLD_KILLED, CLD_DUMPED
  int exec_main_status = 0;                      // exit code or signal, by the code
  std::uint64_t active_enter_us = 0;             // ActiveEnterTimestamp, wall microseconds; 0: never
  std::uint64_t active_enter_monotonic_us = 0;   // the same by the monotonic clock
  std::uint64_t inactive_exit_monotonic_us = 0;  // when it last began to start; 0: never
  std::uint64_t state_change_monotonic_us = 0;   // of `active` or `sub`
  pid_t control_pid = 0;                         // of ExecStartPre=, ExecReload= … that is running
  std::uint64_t start_timeout_us = 0;            // TimeoutStartSec=, kForever for infinity; 0: not known
  std::uint64_t restart_wait_us = 0;             // from an end to systemd's own restart; 0: not known
  std::uint64_t start_limit_us = 0;              // StartLimitIntervalSec=
  std::uint32_t start_limit_burst = 0;           // that many starts within it
  std::string freezer{};                         // running, freezing, frozen, thawing; "": not known
  std::string system{};                          // the whole node: starting, running, degraded, stopping …
  static constexpr std::uint64_t kForever = UINT64_MAX;
  friend bool operator==(const UnitState&, const UnitState&) = default;
};

}  // namespace os
