// Processes that a program started and left running on purpose: the daemon of a restart script. This process has
// adopted them (it is a subreaper), so it must know them, leave them alone, and reap them when they end. Used inside
// loop/ only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>

#include "os/process_table.h"

namespace os {

class AdoptedProcesses {
 public:
  void add(const ProcessStat& process);
  // One of them, or in a session that one of them was in or leads: a daemon may detach and fork after it was seen.
  bool contains(const ProcessStat& process) const;
  // Reaps those that ended, takes in their children, and forgets what is gone.
  void reap();
  bool empty() const { return processes_.empty(); }

 private:
  std::map<pid_t, std::uint64_t>
      processes_;  // with their start, which tells a process from a later one of the same pid
  std::set<pid_t> sessions_;
};

}  // namespace os
