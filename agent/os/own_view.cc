#include "os/own_view.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "base/unique_fd.h"

namespace os {
namespace {

constexpr std::size_t kLargestTable = 8UL * 1024 * 1024;

struct Mount {
  std::string device;            // "8:1"
  std::string root;              // of the file system, what is mounted
  std::string at;                // where
  bool read_only = false;        // this mount
  bool super_read_only = false;  // the file system itself
};

std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

// \040 and the like.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view code = text.substr(i, 4);
    const bool octal =
        code.size() == 4 && code[0] == '\\' && code.find_first_not_of("01234567", 1) == std::string_view::npos;
    if (octal) out += static_cast<char>((code[1] - '0') * 64 + (code[2] - '0') * 8 + (code[3] - '0')), i += 3;
    else out += text[i];
  }
  return out;
}

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::size_t end = std::min(options.find(','), options.size());
    if (options.substr(0, end) == wanted) return true;
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  return false;
}

Mount parse_mount(std::string_view line) {
  Mount mount;
  next_word(line);  // its number
  next_word(line);  // its parent's
  mount.device = next_word(line);
  mount.root = unescaped(next_word(line));
  mount.at = unescaped(next_word(line));
  mount.read_only = has_option(next_word(line), "ro");
  while (!line.empty() && next_word(line) != "-") {
  }
  next_word(line);  // type
  next_word(line);  // source
  mount.super_read_only = has_option(next_word(line), "ro");
  return mount;
}

bool is_below(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// The mount that a path is on: the deepest, and of several in one place the last.
std::optional<Mount> mount_of(std::string_view path, std::string_view table) {
  std::optional<Mount> found;
  while (!table.empty()) {
    Mount mount = parse_mount(base::take_line(table));
    if (!mount.at.empty() && is_below(path, mount.at) && (!found || mount.at.size() >= found->at.size()))
      found = std::move(mount);
  }
  return found;
}

// What a path is on its file system: the same for every mount of it.
std::string place_on_device(std::string_view path, const Mount& mount) {
  const std::string_view rest = path.substr(mount.at == "/" ? 0 : mount.at.size());
  std::string place = mount.root == "/" ? "" : mount.root;
  place += rest;
  return mount.device + (place.empty() ? "/" : place);
}

std::string setting_for(std::string_view at) {
  for (const std::string_view home : {"/home", "/root", "/run/user"})
    if (is_below(at, home)) return "ProtectHome=read-only";
  if (is_below(at, "/tmp") || is_below(at, "/var/tmp")) return "PrivateTmp=no";
  if (is_below(at, "/dev")) return "PrivateDevices=no";
  return fmt::format("BindReadOnlyPaths={}", at);
}

// A file with one number; nothing for "max" and for a file that is not there.
std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
  const base::Result<std::string> text = base::read_file(file.string());
  if (!text) return std::nullopt;
  return base::leading_number<std::uint64_t>(*text);
}

}  // namespace

bool is_own_want(int code) {
  switch (code) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:  // of fork, clone and threads: no more tasks
      return true;
    default: return false;
  }
}

std::string own_want() {
  const base::UniqueFd one_more(::eventfd(0, EFD_CLOEXEC));
  if (one_more) return "";
  return std::error_code(errno, std::generic_category()).message();
}

std::string few_open_files() {
  constexpr rlim_t kFewest = 32;  // measured: 26 are open once the port, the sockets and the state are there
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kFewest) return "";
  return fmt::format(
      "only {} files may be open at a time (RLIMIT_NOFILE), and the agent needs {} without any probe: set "
      "LimitNOFILE=1024 in the unit, or ulimit -n 1024",
      limit.rlim_cur, kFewest);
}

std::string task_want(const std::string& proc_cgroup, const std::string& root) {
  const base::Result<std::string> text = base::read_file(proc_cgroup);
  const std::size_t line = !text ? std::string::npos : text->starts_with("0::/") ? 0 : text->find("\n0::/");
  if (line == std::string::npos) return "";
  const std::size_t begin = text->find('/', line) + 1;
  const std::filesystem::path top = root;
  std::filesystem::path group = text->substr(begin, text->find('\n', begin) - begin);
  for (; !group.empty(); group = group.parent_path()) {
    const auto most = number_in(top / group / "pids.max"), now = number_in(top / group / "pids.current");
    if (most && now && *now >= *most) return fmt::format("{} tasks, as many as /{} may have", *now, group.string());
  }
  return "";
}

std::string hidden_by_sandbox(const std::string& path, std::string_view self, std::string_view node) {
  const auto here = mount_of(path, self);
  if (!here) return "";
  const bool own = here->root.find("/systemd-private-") != std::string::npos ||
                   here->root.find("/systemd/inaccessible/") != std::string::npos;
  // A container has a root of its own, and shows the node's files elsewhere on purpose.
  const auto top = mount_of("/", self), node_top = mount_of("/", node);
  const bool same_root = top && node_top && place_on_device("/", *top) == place_on_device("/", *node_top);
  const auto there = mount_of(path, node);
  const bool other = same_root && there && place_on_device(path, *here) != place_on_device(path, *there);
  if (!own && !other) return "";
  return fmt::format(
      "the agent does not see the node's {}, but one of its own sandbox; set {} in a drop-in of its unit (systemctl "
      "edit fettle)",
      here->at, setting_for(here->at));
}

std::string hidden_by_sandbox(const std::string& path) {
  const Mounts mounts = read_mounts();
  return hidden_by_sandbox(path, mounts.self, mounts.node);
}

bool read_only_on_node(const std::string& path, std::string_view self, std::string_view node) {
  if (const auto there = mount_of(path, node)) return there->read_only || there->super_read_only;
  const auto here = mount_of(path, self);
  return here && here->super_read_only;
}

Mounts read_mounts() {
  return {base::read_file("/proc/self/mountinfo", kLargestTable).value_or(""),
          base::read_file("/proc/1/mountinfo", kLargestTable).value_or("")};
}

}  // namespace os
