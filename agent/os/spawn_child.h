// The start of a child process as posix_spawn(3) does it, at the same cost: the child borrows this process's memory and
// this thread waits until it has called exec, so nothing is copied however large the agent is. Home-made for one
// reason: posix_spawn has no attribute for resource limits and priorities. Set in the parent they would hit the agent's
// own threads; set from outside after the start they would come too late for what the program forks first; a helper
// program in between costs a second exec. Used inside os/ only.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "os/subprocess.h"

namespace os {

struct ChildStart {
  std::string path;  // absolute; a script finds it as $0
  std::vector<std::string> argv;
  const std::map<std::string, std::string>& environment;
  std::string directory;
  int in, out, err;  // become 0, 1 and 2; nothing else stays open
  const Limits& limits;
  Priority priority = Priority::normal;
};

// 0 and the child, which leads a session of its own, has no signal blocked or ignored and runs the program; or the
// errno of whatever failed, the exec included, and no child is left. Loop thread only.
int spawn_child(const ChildStart& start, pid_t& pid);

}  // namespace os
