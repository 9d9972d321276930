// Out-of-memory kills, told by a control group (cgroup v2, memory.events): by event and without a privilege.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/handle.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace os {

// The control group of a process, as it stands behind "0::" in /proc/PID/cgroup: "/system.slice/order.service".
// Errors: the process is gone, or this is cgroup v1.
base::Result<std::string> control_group_of(pid_t pid);

// `oom_kill` of the text of memory.events; nothing if it is not there (before Linux 4.13).
std::optional<std::uint64_t> oom_kills_in(std::string_view memory_events);

// `file` is a memory.events. `killed` comes with the number of kills since it was last called, in later turns. Errors:
// the file cannot be read or watched, or does not count kills.
base::Result<loop::Handle> watch_oom_kills(loop::EventLoop& loop, const std::string& file,
                                           std::function<void(std::uint64_t kills)> killed);

}  // namespace os
