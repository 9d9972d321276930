#include "os/unit_processes.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/ascii.h"
#include "base/file.h"

namespace os {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostText = 256 * 1024;

void add_users(const fs::path& group, const KernelFiles& files, std::set<uid_t>& users) {
  std::istringstream processes(base::read_file((group / "cgroup.procs").string(), kMostText).value_or(""));
  for (std::string process; processes >> process;) {
    struct stat status {};
    if (::stat((files.proc + "/" + process).c_str(), &status) == 0) users.insert(status.st_uid);
  }
}

}  // namespace

bool is_in_unit(std::string_view cgroup_text, std::string_view unit) {
  while (!cgroup_text.empty()) {
    std::string_view line = base::take_line(cgroup_text);
    // HIERARCHY:CONTROLLERS:/path, where a path may hold colons.
    const std::size_t path = line.find(":/");
    if (path == std::string_view::npos) continue;
    line.remove_prefix(path + 1);
    while (!line.empty()) {
      line.remove_prefix(1);
      const std::size_t part = std::min(line.find('/'), line.size());
      if (line.substr(0, part) == unit) return true;
      line.remove_prefix(part);
    }
  }
  return false;
}

std::optional<bool> is_in_unit(pid_t process, std::string_view unit, const KernelFiles& files) {
  const auto text = base::read_file(files.proc + "/" + std::to_string(process) + "/cgroup", kMostText);
  if (!text || text->empty()) return {};
  return is_in_unit(*text, unit);
}

std::optional<std::set<uid_t>> users_of_unit(const std::string& unit, const KernelFiles& files) {
  bool known = false;
  std::set<uid_t> users;
  std::error_code code;
  for (const char* hierarchy : {"", "/unified", "/systemd"}) {
    const fs::path slice = files.cgroup + hierarchy + "/system.slice";
    if (!fs::is_directory(slice, code)) continue;
    known = true;
    add_users(slice / unit, files, users);
    // Units may have groups below their own, and slices below system.slice: system-order.slice/order@1.service.
    for (const auto& entry : fs::directory_iterator(slice, code)) {
      if (entry.path().extension() == ".slice") add_users(entry.path() / unit, files, users);
    }
    for (const auto& entry : fs::directory_iterator(slice / unit, code))
      if (entry.is_directory(code)) add_users(entry.path(), files, users);
  }
  if (!known) return {};
  return users;
}

}  // namespace os
