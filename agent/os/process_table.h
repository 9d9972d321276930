// What /proc tells about processes: who they are, whose children, since when. Reading is a few microseconds a process.
// Used inside os/ only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace os {

// From /proc/PID/stat, proc(5).
struct ProcessStat {
  pid_t pid = 0;
  std::string name;  // comm
  char state = 0;    // R S D Z T …
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  std::uint64_t threads = 0;
  std::uint64_t start_ticks = 0;  // since boot; with the pid it is who it is
  bool ended() const { return state == 'Z' || state == 'X'; }
};

std::optional<ProcessStat> read_process_stat(pid_t pid);
std::vector<ProcessStat> all_processes();

// Processes and threads of a user, as RLIMIT_NPROC counts them.
std::uint64_t count_tasks(uid_t user);

// The children of this process, adopted ones included; nothing if the kernel does not list them
// (CONFIG_PROC_CHILDREN).
std::optional<std::vector<pid_t>> own_children();

// pidfd_open(2), close-on-exec; empty if there is no such process.
base::UniqueFd open_pidfd(pid_t pid);
// Sends the signal only if the pid still is that process.
void signal_process(pid_t pid, std::uint64_t start_ticks, int signal);

}  // namespace os
