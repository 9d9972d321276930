// The end of a process that is not our child, as an event: pidfd, unprivileged, within a millisecond of a SIGKILL.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace os {

struct ProcessEnd {
  pid_t pid = 0;
  std::optional<int> exit_code;  // known on kernels that tell (PIDFD_INFO_EXIT, 6.15)
  std::optional<int> signal;
  base::Instant noticed{};
};

struct Process {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: with the pid, who it is
  std::string name;               // comm
};

// Reads /proc; fails with not_found if there is no such process (a zombie counts as gone), with permission if /proc
// hides it, and with limit if there is nothing to look with.
base::Result<Process> read_process(pid_t pid);
// By comm or by the file name of argv[0]; the oldest first. Fails where /proc hides the processes of others, because
// then none is found that is there.
base::Result<std::vector<Process>> find_processes(const std::string& name);
// A pid from a pidfile. not_found if the file or the process is missing.
base::Result<Process> read_pidfile(const std::string& path);

// Sends the signal if the number still is that process; else not_found. permission: it is another user's.
base::Result<> signal_process(const Process& process, int signal);

class PidWatcher {
 public:
  virtual ~PidWatcher() = default;
  // `gone` comes once, in a later turn. Fails if the process is already gone or is not the same any more.
  virtual base::Result<loop::Handle> watch(const Process& process, std::function<void(ProcessEnd)> gone) = 0;
  // Out-of-memory kills in the process' control group, which are those of a whole unit of systemd: `killed` comes
  // with their number, each time, in later turns. Fails where the kernel does not tell (cgroup v1).
  virtual base::Result<loop::Handle> watch_memory(const Process& process,
                                                  std::function<void(std::uint64_t)> killed) = 0;
};

class PidWatch final : public PidWatcher {
 public:
  // `control_groups`: where cgroup v2 is mounted.
  explicit PidWatch(loop::EventLoop& loop, std::string control_groups = "/sys/fs/cgroup")
      : loop_(loop), control_groups_(std::move(control_groups)) {}
  base::Result<loop::Handle> watch(const Process& process, std::function<void(ProcessEnd)> gone) override;
  base::Result<loop::Handle> watch_memory(const Process& process, std::function<void(std::uint64_t)> killed) override;

 private:
  loop::EventLoop& loop_;
  std::string control_groups_;
};

}  // namespace os
