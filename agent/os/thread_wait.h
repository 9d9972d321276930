// What a thread does, by its state and by the system call that it is in. Pure but for the /proc that it reads;
// blocking, some ten microseconds a thread. Used inside os/ only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/evidence.h"
#include "os/unit_processes.h"

namespace os {

struct ThreadLook {
  pid_t pid = 0, thread = 0;
  std::string name;
  char state = 0;              // R S D T …
  std::uint64_t switches = 0;  // how often it has left the processor
  std::string call;            // the system call as /proc/PID/syscall has it; "": not shown
  std::string place;           // the kernel's function, as /proc/PID/wchan has it; "": not shown
  std::string file;            // what the first argument of the call is a descriptor of; "": not known
};

// At most `most`; those that end meanwhile are left out.
std::vector<ThreadLook> look_at_threads(pid_t pid, std::size_t most, const KernelFiles& files);
// `ran`: it did between two looks.
model::Wait wait_of(const ThreadLook& look, bool ran);

}  // namespace os
