#include "loop/kept_processes.h"

#include <sys/wait.h>
#include <unistd.h>

namespace loop {

void KeptProcesses::add(const ProcessStat& process) { sessions_.insert(process.session); }

bool KeptProcesses::contains(const ProcessStat& process) const { return sessions_.contains(process.session); }

void KeptProcesses::reap() {
  const std::vector<ProcessStat> processes = all_processes();
  std::set<pid_t> members;
  for (const ProcessStat& process : processes)
    if (contains(process)) members.insert(process.pid);
  std::set<pid_t> alive;
  for (const ProcessStat& process : processes) {
    const bool is_member =
        members.contains(process.pid) || members.contains(process.parent);  // it may detach once more
    if (!is_member) continue;
    if (process.ended() && process.parent == ::getpid())
      ::waitid(P_PID, static_cast<id_t>(process.pid), nullptr, WEXITED | WNOHANG);
    else alive.insert(process.session);
  }
  sessions_ = std::move(alive);
}

}  // namespace loop
