// The journal of what was changed on the node: files of services (os/service_files), packages, certificates, reloads of
// the agent, boots and steps of the clock. It looks every kEvery and whenever a service goes down; so that it knows
// what was there before, also after a restart, it keeps its last look. Durable in state::Table::evidence, beside the
// evidence, the newest kKept. Loop thread; files are read on threads of the blocking pool.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/agent_config.h"
#include "loop/handle.h"
#include "model/node_change.h"
#include "os/service_files.h"
#include "probe/schedule.h"

namespace loop {
class BlockingPool;
class Scheduler;
}  // namespace loop

namespace state {
class State;
}  // namespace state

namespace app {

class ChangeWatch {
 public:
  struct Context {
    loop::Scheduler& scheduler;
    loop::BlockingPool& pool;
    state::State& state;
    std::string dpkg_log = "/var/log/dpkg.log";
    std::string boot_id = "/proc/sys/kernel/random/boot_id";
  };
  static constexpr base::Millis kEvery{60'000};
  static constexpr base::Millis kLimit{10'000};  // a file of a share that is away may never answer
  static constexpr std::size_t kKept = 500;

  // Reads what was left.
  explicit ChangeWatch(Context context);

  // Which services there are, with their units and the ports where they are probed. Looks soon.
  void configure(const std::vector<std::pair<std::string, config::Service>>& services, const probe::Schedule& schedule);
  // What the agent itself knows of.
  void add(model::NodeChange change);
  // Of a probe over TLS: when the certificate that it saw ends.
  void note_certificate(const probe::Run& run);
  // Looks now, or once more after the look that is under way; `done` in a later turn, also if nothing could be looked
  // at.
  void look(std::function<void()> done);
  // What may have caused a fault of the service that began then, the likeliest first.
  std::vector<model::NodeChange> before(const std::string& service, base::WallTime started) const;
  // The newest change of the service's unit, program or configuration that would be among them now.
  std::optional<model::NodeChange> recent(const std::string& service) const;

 private:
  struct Found;
  void begin();
  void looked(const Found& found);
  void go_on();
  void look_later();

  Context context_;
  std::map<std::string, std::vector<std::string>> depends_on_;  // by service
  std::map<std::string, os::FilesQuestion> services_;
  std::map<std::string, std::map<std::string, int>> restless_;  // service, path: looks in a row at which it had changed
  std::map<std::pair<std::string, std::string>, double> certificates_;  // service, probe: end of its certificate
  std::vector<model::NodeChange> changes_;                              // oldest first
  base::WallTime looked_until_{};                                       // the epoch: never
  std::vector<std::function<void()>> waiting_, next_;  // for the look under way, and for the one after it
  loop::Handle look_, limit_, timer_;
};

}  // namespace app
