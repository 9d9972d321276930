// Processes that a program started and left running on purpose: the daemon of a restart script. This process has
// adopted them (it is a subreaper), so it must know them, leave them alone, and reap them when they end. Used inside
// loop/ only.
#pragma once

#include <sys/types.h>

#include <set>
#include <utility>

#include "loop/process_table.h"

namespace loop {

class KeptProcesses {
 public:
  void add(const ProcessStat& process);
  // One of them, or in a session that one of them is or was in: daemons fork once more after they detached.
  bool contains(const ProcessStat& process) const;
  // Reaps those that ended, and forgets sessions that nobody is in any more.
  void reap();
  bool empty() const { return sessions_.empty(); }

 private:
  std::set<pid_t> sessions_;
};

}  // namespace loop
