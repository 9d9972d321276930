// Control groups and processes as /sys/fs/cgroup and /proc show them, in a folder of the test's own.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "os/unit_processes.h"

namespace fakes {

class KernelTree {
 public:
  enum class Without { nothing, systemd };
  explicit KernelTree(Without without = Without::nothing) {
    std::string name = (std::filesystem::temp_directory_path() / "fettle-kernel-XXXXXX").string();
    top_ = ::mkdtemp(name.data());
    std::filesystem::create_directories(top_ / "proc");
    std::filesystem::create_directories(top_ / (without == Without::systemd ? "cgroup" : "cgroup/system.slice"));
  }
  ~KernelTree() { std::filesystem::remove_all(top_); }
  KernelTree(const KernelTree&) = delete;
  KernelTree& operator=(const KernelTree&) = delete;

  // `cgroup`: a line of /proc/PID/cgroup; of version 2 the process stands in that group as well.
  void process(int pid, const std::string& cgroup) const {
    const std::filesystem::path folder = top_ / "proc" / std::to_string(pid);
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "cgroup") << cgroup << "\n";
    const std::filesystem::path group = (top_ / "cgroup").string() + cgroup.substr(cgroup.rfind(":/") + 1);
    std::filesystem::create_directories(group);
    std::ofstream(group / "cgroup.procs", std::ios::app) << pid << "\n";
  }
  os::KernelFiles files() const { return {(top_ / "proc").string(), (top_ / "cgroup").string()}; }

 private:
  std::filesystem::path top_;
};

}  // namespace fakes
