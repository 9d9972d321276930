// What is asked anew in the moment before an action that heals: systemd about the service's unit, the services that it
// depends on by a run of their probes, and programs that know what people did. Events overtake one another: a process
// has ended before systemd says that a person stopped it, a service fails before the one that it depends on is found
// down. Nothing is kept here; the answers are where they always are, in UnitWatch and in the ServiceView. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"
#include "recover/service_view.h"
#include "recover/unit_watch.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace recover {

class Recheck {
 public:
  // For systemd to answer. One that is silent says nothing about the unit: what was known before stands, and a job
  // that a plan asks it for will show the same silence.
  static constexpr base::Millis kUnitLimit{1'000};

  // Asks, and calls `done` once in a later turn. It has the time of systemd; then its Handle is dropped.
  using Question = std::function<loop::Handle(base::Instant deadline, std::function<void()> done)>;

  // `done` once, in a later turn, when all have answered; not after stop(). Who asked has a limit of its own, because
  // a probe may take as long as its timeout is. The others outlive this.
  void start(loop::Scheduler& scheduler, const std::string& service, const std::vector<std::string>& dependencies,
             UnitWatch& units, ServiceView& service_view, const std::vector<Question>& questions,
             std::function<void()> done);
  void probe_ran(const std::string& service, const std::string& probe);
  void stop();

 private:
  void done_if_all();

  std::set<std::pair<std::string, std::string>> probes_;  // service and probe, that have not run yet
  std::map<std::string, loop::Handle> units_;             // that have not been told of yet
  std::map<std::size_t, loop::Handle> questions_;
  loop::Handle turn_, limit_;
  std::function<void()> done_;
};

}  // namespace recover
