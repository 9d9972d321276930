// Gathers the evidence of a fault: what its probes and dependencies said, what systemd says of its unit, what the
// kernel tells of its processes (os/service_look), and the unit's last journal lines. Begun when a service goes down
// and again before a run of its plan; beside everything else, and not beyond the budget. What is not there by then is
// named as missing. Where the process has ended an action can destroy nothing that could be seen, and does not wait.
// Loop thread; what reads files does it on threads of the blocking pool.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/agent_config.h"
#include "model/evidence.h"
#include "os/unit_processes.h"
#include "probe/schedule.h"
#include "recover/recorder.h"

namespace loop {
class BlockingPool;
class Scheduler;
}  // namespace loop

namespace os {
class Spawner;
class Systemd;
}  // namespace os

namespace app {

class FlightRecorder final : public recover::Recorder {
 public:
  struct Context {
    loop::Scheduler& scheduler;
    loop::BlockingPool& pool;
    os::Spawner& spawner;
    os::Systemd& systemd;
    os::KernelFiles files{};
  };
  struct Callbacks {
    std::function<std::string(const std::string& service)> incident_of;  // the open one; "": none
    std::function<void(model::Evidence)> on_evidence;                    // in a later turn
  };
  // So long the evidence of a service stands for one that is asked for later.
  static constexpr base::Millis kFresh{5'000};
  // Gathered at the same time. A node on which everything fails has little to give to this.
  static constexpr std::size_t kAtOnce = 8;

  // `schedule` is there by the first begin(), and outlives this.
  FlightRecorder(Context context, const std::unique_ptr<probe::Schedule>& schedule, Callbacks callbacks);
  ~FlightRecorder() override;

  // For what begins from now on. A budget of 0 gathers nothing.
  void configure(config::Evidence limits, const std::vector<std::pair<std::string, config::Service>>& services);
  void begin(const std::string& service, const std::string& recovery) override;
  loop::Handle wait(const std::string& service, std::function<void()> done) override;

 private:
  struct Known {
    std::string unit;
    std::vector<std::string> depends_on;
  };
  struct Gathering;

  void note_probes(Gathering& gathering, const Known& known);
  void ask_systemd(Gathering& gathering);
  void look(Gathering& gathering, int main_pid);
  void read_journal(Gathering& gathering);
  void done(Gathering& gathering, const char* part);
  void close(Gathering& gathering);
  void go_on(Gathering& gathering);  // who waits
  void make_fit(std::shared_ptr<Gathering> gathering);

  Context context_;
  const std::unique_ptr<probe::Schedule>& schedule_;
  Callbacks callbacks_;
  config::Evidence limits_{};
  std::map<std::string, Known> services_;
  struct Begun {
    base::Instant at{};
    std::string recovery;
  };
  std::map<std::string, Begun> begun_;                      // the last one of each service
  std::map<std::string, std::shared_ptr<Gathering>> open_;  // by service
  std::map<std::string, std::shared_ptr<Gathering>> told_;  // gathered, and made fit now; by service
};

}  // namespace app
