#include "os/adopted_processes.h"

#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace os {

void AdoptedProcesses::add(const ProcessStat& process) {
  processes_[process.pid] = process.start_ticks;
  sessions_.insert(process.session);
}

bool AdoptedProcesses::contains(const ProcessStat& process) const {
  const auto known = processes_.find(process.pid);
  return (known != processes_.end() && known->second == process.start_ticks) || sessions_.contains(process.session) ||
         processes_.contains(process.session);
}

void AdoptedProcesses::reap() {
  AdoptedProcesses left;
  for (const ProcessStat& process : all_processes()) {
    if (!contains(process) && !processes_.contains(process.parent)) continue;
    if (process.ended() && process.parent == ::getpid())
      ::waitid(P_PID, static_cast<id_t>(process.pid), nullptr, WEXITED | WNOHANG);
    else left.add(process);
  }
  *this = std::move(left);
}

}  // namespace os
