// Units that somebody else stopped: what was stopped on purpose is not fought. systemd does not keep who asked for a
// job; a unit that is inactive with the result "success", that ended while a stop was under way, or that is just being
// stopped, while no plan of ours works on it, was stopped by a person, a package or an orderly exit, and stays so. A
// program that ends with status 143 (128 + SIGTERM, as Java does) was stopped as well, though systemd calls that a
// failure. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "loop/systemd.h"

namespace recover {

class CleanStops {
 public:
  explicit CleanStops(loop::Systemd& systemd) : systemd_(systemd) {}

  // `ours` says whether a plan has begun to work on the unit: what happens to it then is its doing.
  void follow(const std::string& service, const std::string& unit, std::function<bool()> ours);
  void forget(const std::string& service) { units_.erase(service); }
  bool follows(const std::string& service) const { return units_.contains(service); }
  // Asks systemd anew, because its signals come later than the end of a process is seen: `done` in a later turn, when
  // text() has the answer. If none comes by the deadline, what was known before stands.
  loop::Handle ask(const std::string& service, base::Instant deadline, std::function<void()> done);
  // What a person should know, if the service's unit was stopped.
  std::optional<std::string> text(const std::string& service) const;

 private:
  struct Unit {
    std::string name;
    bool stopped = false;
    bool stopping = false;
    bool failed_by_it = false;            // it was stopped, and ended as systemd does not like it
    std::uint64_t active_enter_us = 0;    // of the run that was stopped
    std::optional<loop::UnitState> last;  // that was heard
    std::function<bool()> ours;
    loop::Handle watch;
  };

  static void note(Unit& known, const loop::UnitState& state);

  loop::Systemd& systemd_;
  std::map<std::string, Unit> units_;  // by service
};

}  // namespace recover
