// The hot standbys of this agent: looks at all members, reads who has the right, decides (promotion.h), and does one
// move at a time. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/subprocess.h"
#include "recover/standby/promotion.h"

namespace recover {

struct StandbyContext {
  loop::Scheduler& scheduler;
  net::Dialer& dialer;
  os::Spawner& spawner;
  Election& election;
};

struct StandbyStatus {
  Standby spec;
  StandbyFacts facts;  // of the last look; refers to `spec`
  StandbyDecision decision;
  std::size_t taking_writes = 0;                  // servers that were seen to
  std::uint64_t promotions = 0;                   // that this agent has completed
  std::map<std::string, std::uint64_t> refusals;  // looks that ended in one, by the name of the gate
};

struct StandbyCallbacks {
  std::function<model::Health(const std::string& service)> health;
  // Why people want nothing to begin, if they do.
  std::function<std::optional<std::string>(const std::string&service)> maintenance, paused;
  // A move was made, or a person has to know: a sentence.
  std::function<void(const std::string& service, const std::string& text)> on_event;
  std::function<void()> on_change;
};

class StandbyMemberRun;

class Standbys {
 public:
  // What `context` refers to lives longer. `node`: of this agent.
  Standbys(StandbyContext context, std::string node, StandbyCallbacks callbacks);
  ~Standbys();

  // Before the store of the election is another one: nothing waits for its answers any more.
  void pause();
  // One that is not there any more gives its right back. One whose members do not name this node is left out: the node
  // got another name by a reload, which counts from the next start.
  void replace(std::vector<Standby> standbys);
  // The agent has its lease, or has lost it: a server that may not take writes any more is closed in this turn.
  void on_lease();
  // For a person: what waits for that may be done within kApproved. Kind::not_found, or why there is nothing.
  base::Result<std::string> approve(const std::string& service);

  std::vector<StandbyStatus> statuses() const;  // by service

  static constexpr std::chrono::seconds kApproved{60};

 private:
  StandbyContext context_;
  std::string node_;
  StandbyCallbacks callbacks_;
  std::map<std::string, std::unique_ptr<StandbyMemberRun>> runs_;
  std::map<std::string, loop::Handle> leaving_;  // by service: its right is given back
};

}  // namespace recover
