// What the kernel tells of a service's processes without their help: states of all threads and what they wait for,
// limits, the control group with its pressure, and the queue and connections of the port that it listens on. Of another
// user's process less is to be seen: no descriptors, and no place where a thread waits. Blocking; some ten milliseconds
// for a thousand processes, and kApart.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "model/evidence.h"
#include "os/socket_table.h"
#include "os/unit_processes.h"

namespace os {

struct ServiceQuestion {
  std::string unit;        // "": not under systemd
  pid_t main_pid = 0;      // as systemd says; 0: not known, or none
  std::uint16_t port = 0;  // of this node, where it is probed; 0: none
};

// A thread that ran between two looks waits for nothing.
inline constexpr std::chrono::milliseconds kApart{20};

struct ServiceLook {
  std::vector<model::EvidenceSection>
      sections;             // processes, threads, limits, cgroup, sockets; texts as the kernel has them
  model::FaultSigns signs;  // what such a look can tell
};

// The processes are those of the unit; without a unit, or where none is in it, that of `main_pid`, or those that listen
// on the port.
ServiceLook look_at_service(const ServiceQuestion& question, const KernelFiles& files = {});

}  // namespace os
