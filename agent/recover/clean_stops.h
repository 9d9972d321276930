// Units that somebody else stopped: what systemd says was stopped cleanly is not fought. systemd does not keep who
// asked for a job; a unit that is inactive with the result "success", or is just being stopped, while no plan of ours
// works on it, was stopped by a person, a package or an orderly exit, and stays so. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "loop/systemd.h"

namespace recover {

class CleanStops {
 public:
  explicit CleanStops(loop::Systemd& systemd) : systemd_(systemd) {}

  // `ours` says whether a run of the service's plan is under way: what happens to the unit then is its doing.
  void follow(const std::string& service, const std::string& unit, std::function<bool()> ours);
  void forget(const std::string& service) { units_.erase(service); }
  // What a person should know, if the service's unit was stopped.
  std::optional<std::string> text(const std::string& service) const;

 private:
  struct Unit {
    std::string name;
    bool stopped = false;
    bool stopping = false;
    loop::Handle watch;
  };

  loop::Systemd& systemd_;
  std::map<std::string, Unit> units_;  // by service
};

}  // namespace recover
