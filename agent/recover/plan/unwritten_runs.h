// Recoveries whose intent cannot be written: the disk is full, read-only, damaged or does not answer. A crash of the
// agent forgets what they did, and so there are few of them: one an hour for each service and two for the node, none in
// the first minutes of the agent, so that one which is restarted again and again does not restart services as often,
// and none that reboots the node. A run that was let go on goes on to its end. Loop thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace recover {

struct UnwrittenRun {
  std::string service, recovery;  // its id
  bool by_person = false;         // they are told instead that nothing was written
  bool reboots = false;           // one of its steps reboots the node
};

class UnwrittenRuns {
 public:
  static constexpr std::chrono::minutes kAgentUptime{5};
  static constexpr std::chrono::hours kWindow{1};
  static constexpr std::size_t kNode = 2;

  // `agent_started`: on the clock of `scheduler`.
  UnwrittenRuns(const loop::Scheduler& scheduler, base::Instant agent_started)
      : scheduler_(scheduler), agent_started_(agent_started) {}

  // Whether the run may go on; counts it when it may. Kind::limit with the reason, for people, when it may not.
  base::Result<> let(const UnwrittenRun& run);

 private:
  struct Let {
    std::string service, recovery;
    base::Instant at{};
  };

  const loop::Scheduler& scheduler_;
  const base::Instant agent_started_;
  std::deque<Let> let_;  // of the last hour, oldest first
};

}  // namespace recover
