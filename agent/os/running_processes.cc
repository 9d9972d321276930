#include "os/running_processes.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"

namespace os {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostText = 256 * 1024;
constexpr std::size_t kMostGroups = 100'000;

// "socket:[4711]"
void add_sockets(const fs::path& folder, RunningProcess& process) {
  constexpr std::string_view kBegin = "socket:[";
  std::error_code code;
  fs::directory_iterator descriptors(folder, code);
  process.hides_sockets = code == std::errc::permission_denied;
  for (; !code && descriptors != fs::directory_iterator(); descriptors.increment(code)) {
    std::error_code gone;
    std::string target = fs::read_symlink(descriptors->path(), gone).string();
    if (gone || !target.starts_with(kBegin) || !target.ends_with("]")) continue;
    target.pop_back();
    if (const auto inode = base::read_number<std::uint64_t>(std::string_view(target).substr(kBegin.size())))
      process.sockets.insert(*inode);
  }
}

// The unit that one of the hierarchies in the text of /proc/PID/cgroup names.
std::string unit_of_text(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = base::take_line(text);
    const std::size_t path = line.find(":/");
    if (path == std::string_view::npos) continue;
    if (std::string unit = unit_of_cgroup(line.substr(path + 1)); !unit.empty()) return unit;
  }
  return "";
}

// Of the text of /proc/PID/status.
pid_t parent_of_text(std::string_view text) {
  constexpr std::string_view kBegin = "PPid:\t";
  while (!text.empty()) {
    const std::string_view line = base::take_line(text);
    if (line.starts_with(kBegin)) return base::read_number<pid_t>(line.substr(kBegin.size())).value_or(0);
  }
  return 0;
}

}  // namespace

std::string unit_of_cgroup(std::string_view path) {
  if (path.find("/user.slice/") != std::string_view::npos) return "";
  while (!path.empty()) {
    path.remove_prefix(path.front() == '/' ? 1 : 0);
    const std::size_t part = std::min(path.find('/'), path.size());
    if (path.substr(0, part).ends_with(".service")) return std::string(path.substr(0, part));
    path.remove_prefix(part);
  }
  return "";
}

std::vector<RunningProcess> running_processes(const KernelFiles& files) {
  std::vector<RunningProcess> found;
  std::error_code code;
  for (fs::directory_iterator entry(files.proc, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    const auto pid = base::read_number<pid_t>(entry->path().filename().string());
    struct stat status {};
    if (!pid || ::stat(entry->path().c_str(), &status) != 0) continue;
    RunningProcess process;
    process.pid = *pid;
    process.user = status.st_uid;
    process.program = base::read_file((entry->path() / "comm").string(), kMostText).value_or("");
    if (process.program.ends_with('\n')) process.program.pop_back();
    process.unit = unit_of_text(base::read_file((entry->path() / "cgroup").string(), kMostText).value_or(""));
    process.parent = parent_of_text(base::read_file((entry->path() / "status").string(), kMostText).value_or(""));
    add_sockets(entry->path() / "fd", process);
    found.push_back(std::move(process));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
  return found;
}

std::map<std::uint64_t, std::string> units_by_cgroup(const KernelFiles& files) {
  std::map<std::uint64_t, std::string> units;
  std::error_code code;
  std::string top = files.cgroup + "/unified";
  if (!fs::is_directory(top, code)) top = files.cgroup;
  if (!fs::exists(top + "/cgroup.controllers", code)) return units;
  fs::recursive_directory_iterator entry(top, fs::directory_options::skip_permission_denied, code);
  for (; !code && entry != fs::recursive_directory_iterator() && units.size() < kMostGroups; entry.increment(code)) {
    struct stat status {};
    if (!entry->is_directory(code) || ::stat(entry->path().c_str(), &status) != 0) continue;
    // The id of a group is the number of its folder.
    if (std::string unit = unit_of_cgroup(entry->path().string().substr(top.size())); !unit.empty())
      units.emplace(status.st_ino, std::move(unit));
  }
  return units;
}

}  // namespace os
