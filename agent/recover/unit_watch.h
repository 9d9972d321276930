// The units that plans work on, as systemd tells of them: what it is doing with each, and which ones somebody else
// stopped, for what was stopped on purpose is not fought. systemd does not keep who asked for a job; a unit that is
// inactive with the result "success", that ended while a stop was under way, or that is just being stopped, while no
// plan of ours works on it, was stopped by a person, a package or an orderly exit, and stays so. A plan's own are what
// happens while its action is under way, and later the end of the run that was there when the action began (a process
// that got SIGTERM takes its time); after the unit has started again, a stop is not the plan's. A program that
// ends with status 143 (128 + SIGTERM, as Java does) was stopped as well, though systemd calls that a failure. One that
// is frozen (systemctl freeze) was meant to stand still. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "os/systemd/unit_state.h"
#include "recover/plan/unit_guards.h"
#include "recover/plan/unit_work.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace os {
class Systemd;
}  // namespace os

namespace recover {

class UnitWatch {
 public:
  UnitWatch(os::Systemd& systemd, loop::Scheduler& scheduler) : systemd_(systemd), scheduler_(scheduler) {}

  // `work` says what a plan is doing to the service's units.
  // `changed` follows what was heard, in a later turn. Units that are followed already stay as they are known.
  void follow(const std::string& service, const std::vector<std::string>& units, const std::function<UnitWork()>& work,
              const std::function<void()>& changed);
  // An action on the service's units begins.
  void action_begins(const std::string& service);
  // During a drill the end of the unit's process counts as a fault and not as a stop, until a stop job for the unit
  // appears in systemd.
  void drill(const std::string& service, const std::string& unit, bool is_on);
  void forget(const std::string& service) { units_.erase(service); }
  std::vector<std::string> units(const std::string& service) const;
  // Asks systemd anew, because its signals come later than the end of a process is seen: `done` in a later turn, when
  // this has the answer. If none comes by the deadline, what was known before stands.
  loop::Handle ask(const std::string& service, const std::string& unit, base::Instant deadline,
                   std::function<void()> done);
  // What a person should know, if the unit was stopped.
  std::optional<std::string> stopped(const std::string& service, const std::string& unit) const;
  UnitView view(const std::string& service, const std::string& unit) const;

 private:
  struct Unit {
    bool stopped = false;
    bool stopping = false;
    bool drilled = false;                      // a drill stops it
    bool failed_by_it = false;                 // it was stopped, and ended as systemd does not like it
    std::uint64_t active_enter_us = 0;         // of the run that was stopped
    std::optional<std::uint64_t> acted_on_us;  // active_enter_us when a plan's action began
    std::optional<os::UnitState> last;         // that was heard
    UnitView view;
    std::optional<base::Instant> active_since;
    std::function<UnitWork()> work;
    std::function<void()> changed;
    loop::Handle watch, turn;
  };

  Unit* find(const std::string& service, const std::string& unit);
  const Unit* find(const std::string& service, const std::string& unit) const;
  void heard(Unit& known, const base::Result<os::UnitState>& state);
  static bool is_ours(Unit& known, const os::UnitState& state);
  static void note_stop(Unit& known, const os::UnitState& state);
  void note_work(Unit& known, const os::UnitState& state) const;

  os::Systemd& systemd_;
  loop::Scheduler& scheduler_;
  std::map<std::string, std::map<std::string, Unit>> units_;  // by service and name
};

}  // namespace recover
