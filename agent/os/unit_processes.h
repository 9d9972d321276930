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

// True if one of the control groups in the text of /proc/PID/cgroup is that of `unit` or lies below it.
bool is_in_unit(std::string_view cgroup_text, std::string_view unit);

// Nothing if that cannot be known: the process has ended, or /proc hides it.
std::optional<bool> is_in_unit(pid_t process, std::string_view unit, const KernelFiles& files = {});

// As whom the unit's processes run; empty if it has none. Nothing where systemd does not keep control groups of
// services.
std::optional<std::set<uid_t>> users_of_unit(const std::string& unit, const KernelFiles& files = {});

}  // namespace os
