// All processes of the node, each with its systemd unit and its sockets, as far as the user that asks may see them:
// from /proc and /sys, without a bus. Blocking, some ten milliseconds for a thousand processes; for the command line
// only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "os/unit_processes.h"

namespace os {

struct RunningProcess {
  pid_t pid = 0;
  std::string program;  // comm; "" where /proc hides it
  uid_t user = 0;
  std::string unit;                 // "order.service"; "": none of the system manager's
  std::set<std::uint64_t> sockets;  // inodes
  bool hides_sockets = false;       // its descriptors belong to another user
  pid_t parent = 0;                 // 0: none, or not known
};

std::vector<RunningProcess> running_processes(const KernelFiles& files = {});

// The unit of the system manager whose control group that is: "order.service" for
// "0::/system.slice/order.service/worker". Not of units of a user's manager. "" if there is none.
std::string unit_of_cgroup(std::string_view path);

// Units by the id of their control group (version 2) and of those below it.
std::map<std::uint64_t, std::string> units_by_cgroup(const KernelFiles& files = {});

}  // namespace os
