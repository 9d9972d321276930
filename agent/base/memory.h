// How much memory there is for this process, and how it gives back what it does not use any more.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace base {

// The smallest memory limit of this process's control group and those around it, in bytes; nothing where none is set:
// memory.max and memory.high of cgroup v2, memory.limit_in_bytes of v1. `proc_cgroup` is /proc/self/cgroup, `root`
// where the control groups are mounted.
std::optional<std::size_t> memory_limit(const std::filesystem::path& proc_cgroup = "/proc/self/cgroup",
                                        const std::filesystem::path& root = "/sys/fs/cgroup");

// Few arenas, and large blocks straight from the kernel and back to it, whatever was allocated before. Before the first
// thread.
void give_back_large_blocks();
// Gives freed pages between what is still used back to the kernel. Any thread; some milliseconds per 100 MiB, in which
// others may wait for memory.
void give_back_freed_pages();

}  // namespace base
