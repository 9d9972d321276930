// What this process sees of the node, apart from what is there: its own limits, and the sandbox that its unit puts
// around it. Everybody who would blame a service asks here first. Any thread; a look takes some tens of microseconds.
#pragma once

#include <string>
#include <string_view>

namespace os {

// Whether an errno tells of something that this process or the whole node has run out of: descriptors, memory, tasks.
bool is_own_want(int code);

// What this process lacks at this moment, "" if nothing: it tries to open one more descriptor. For failures that come
// out of libraries which keep the errno to themselves.
std::string own_want();

// Why this process may open too few files (RLIMIT_NOFILE) to begin with, and what to set; "" if it may open enough for
// itself and the first probes.
std::string few_open_files();

// Why this process can start no further process or thread, "" if it can: a control group above it has as many tasks as
// it may have (pids.max of cgroup v2, TasksMax= of a unit). `proc_cgroup` is /proc/self/cgroup.
std::string task_want(const std::string& proc_cgroup = "/proc/self/cgroup", const std::string& root = "/sys/fs/cgroup");

// Why `path`, an absolute one, is not what the node has under this name: "" or a sentence that names the setting of the
// unit. `self` and `node`: mountinfo of this process and of process 1 (proc_pid_mountinfo(5)); an empty `node` is one
// that may not be read.
std::string hidden_by_sandbox(const std::string& path, std::string_view self, std::string_view node);
std::string hidden_by_sandbox(const std::string& path);

// Whether the node itself cannot write to the file system of `path`. The flags of this process' own mount do not tell:
// ProtectSystem= sets them.
bool read_only_on_node(const std::string& path, std::string_view self, std::string_view node);

// /proc/self/mountinfo and /proc/1/mountinfo; "" for one that cannot be read.
struct Mounts {
  std::string self, node;
};
Mounts read_mounts();

}  // namespace os
