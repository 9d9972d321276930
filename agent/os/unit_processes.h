// Which systemd unit a process belongs to, by its control group (version 1 or 2), and as whom a unit's processes run.
// Blocking reads of /proc and /sys, some microseconds each.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace os {

// Other places than the kernel's own are for tests.
struct KernelFiles {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
};

// True if the control group that systemd keeps of a process, by the text of /proc/PID/cgroup, is that of the system's
// own `unit` or lies below it. A group of that name that others have made does not count: a unit of a user's own
// manager, or one within another service. `init_text`: of /proc/1/cgroup, below which all is where the node is a
// container; "": not known.
bool is_in_unit(std::string_view cgroup_text, std::string_view unit, std::string_view init_text = {});

// Nothing if that cannot be known: the process has ended, or /proc hides it.
std::optional<bool> is_in_unit(pid_t process, std::string_view unit, const KernelFiles& files = {});

// As whom the unit's processes run; empty if it has none. Nothing where systemd does not keep control groups of
// services.
std::optional<std::set<uid_t>> users_of_unit(const std::string& unit, const KernelFiles& files = {});

}  // namespace os
