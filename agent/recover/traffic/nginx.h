// nginx's upstreams, by the one file of `server` lines that each includes. Open-source nginx has no other way to take a
// server out than `down` in its configuration and a reload. So a change is refused if too few servers
// would be left; the old file is kept as FILE.prev, the new one is written durably; a test command and then the reload
// must succeed, and new workers must be there, else the old file comes back. FILE.prev stays until then: a crash in
// between leaves it, and left_drained() sees it.
// Changes that wait are done together, and reloads are kBetweenReloads apart: each one leaves old workers behind. A
// drain is over when these have finished the requests that they had, or its in_flight is. Loop thread; one Nginx for
// the node.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "recover/traffic/server_file.h"
#include "recover/traffic/traffic.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace recover::traffic {

struct Peer {
  std::string address;
  std::optional<int> weight{};  // what the file says, or 1
};

struct NginxUpstream {
  std::string upstream;
  std::string file;
  std::string self;
  std::optional<int> weight{};  // what the file says, or 1
  std::vector<Peer> peers;
  int min_live = 0;                 // 0: half of the servers, at least one
  std::vector<std::string> test;    // before the reload; empty: none, the reload itself must notice
  std::vector<std::string> reload;  // empty: systemd reloads `unit`
  std::string unit = "nginx.service";
  std::string pid_file;            // of the master, to see its workers; "": not looked at
  base::Millis in_flight{10'000};  // that a drain waits for old workers to end
  bool health_checks = false;      // `down` also while the service is
};

// The servers as they should be: what the file says, with the weights that the configuration says; its peers that are
// not in the file are added. Another address than self's in a file with servers is a refusal, for the slip of a digit
// would drain nothing and add a strange server. `down` and the share change for self alone, and `down` that
// other authors wrote stays. While the health is unknown, what fettle wrote for it stays too. An error is a refusal.
base::Result<std::vector<Server>> desired_servers(const NginxUpstream& settings, std::vector<Server> servers,
                                                  const DesiredState& to, const std::string& service);

class Nginx {
 public:
  static constexpr base::Millis kBetweenReloads{2'000};
  static constexpr base::Millis kNewWorkers{5'000};  // for the first new worker to be there

  Nginx(loop::Scheduler& scheduler, os::Systemd& systemd, os::Spawner& spawner);
  ~Nginx();

  // As Adapter::apply. A change that has not begun is taken back with the Handle.
  loop::Handle apply(const NginxUpstream& upstream, const DesiredState& to, const std::string& service,
                     base::Instant deadline, std::function<void(ApplyResult)> done);

 private:
  struct Rep;
  std::shared_ptr<Rep> rep_;
};

bool left_drained(const NginxUpstream& upstream, const std::string& service);
// Why a drain would be refused or fail as the file is now; "" if nothing is wrong. Reads it.
std::string complaint_about(const NginxUpstream& upstream);

}  // namespace recover::traffic
