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

// The path in the line of these controllers, HIERARCHY:CONTROLLERS:/path; "" if there is none.
std::string_view group_of(std::string_view text, std::string_view controllers) {
  while (!text.empty()) {
    std::string_view line = base::take_line(text);
    line.remove_prefix(std::min(line.find(':'), line.size()));
    if (line.empty()) continue;
    line.remove_prefix(1);
    if (line.starts_with(controllers) && line.substr(controllers.size()).starts_with(":/"))
      return line.substr(controllers.size() + 1);
  }
  return {};
}

}  // namespace

bool is_in_unit(std::string_view cgroup_text, std::string_view unit, std::string_view init_text) {
  for (const char* controllers : {"", "name=systemd"}) {
    const std::string_view init = group_of(init_text, controllers);
    constexpr std::string_view kInit = "/init.scope";
    const std::string_view top = init.ends_with(kInit) ? init.substr(0, init.size() - kInit.size()) : "";
    std::string_view path = group_of(cgroup_text, controllers);
    if (!path.starts_with(top)) continue;
    path.remove_prefix(top.size());
    // The first that is no slice is the unit.
    while (path.starts_with('/')) {
      path.remove_prefix(1);
      const std::string_view part = path.substr(0, path.find('/'));
      if (part == unit) return true;
      if (!part.ends_with(".slice")) break;
      path.remove_prefix(part.size());
    }
  }
  return false;
}

std::optional<bool> is_in_unit(pid_t process, std::string_view unit, const KernelFiles& files) {
  const auto text = base::read_file(files.proc + "/" + std::to_string(process) + "/cgroup", kMostText);
  if (!text || text->empty()) return {};
  return is_in_unit(*text, unit, base::read_file(files.proc + "/1/cgroup", kMostText).value_or(""));
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
