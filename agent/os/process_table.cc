#include "os/process_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <charconv>
#include <memory>
#include <string_view>

#include "base/number.h"

namespace os {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

std::optional<pid_t> parse_pid(std::string_view text) { return base::read_number<pid_t>(text); }

// Files of /proc that matter here fit one read.
template <std::size_t N>
std::optional<std::string_view> read_small(const std::string& path, std::array<char, N>& buffer) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  const ssize_t n = ::read(fd.value(), buffer.data(), buffer.size());
  if (n < 0) return std::nullopt;
  return std::string_view(buffer.data(), static_cast<std::size_t>(n));
}

template <typename T>
T next_number(std::string_view& fields) {
  T value{};
  while (!fields.empty() && fields.front() == ' ') fields.remove_prefix(1);
  const auto [end, error] = std::from_chars(fields.data(), fields.data() + fields.size(), value);
  fields.remove_prefix(static_cast<std::size_t>(end - fields.data()));
  return value;
}

}  // namespace

std::optional<ProcessStat> read_process_stat(pid_t pid) {
  std::array<char, 1024> buffer;
  const auto text = read_small("/proc/" + std::to_string(pid) + "/stat", buffer);
  if (!text) return std::nullopt;
  // The name stands in brackets and may have brackets and spaces itself: the last one ends it.
  const auto open = text->find('('), close = text->rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close + 3 > text->size())
    return std::nullopt;
  ProcessStat stat;
  stat.pid = pid;
  stat.name = text->substr(open + 1, close - open - 1);
  stat.state = (*text)[close + 2];
  std::string_view fields = text->substr(close + 3);
  stat.parent = next_number<pid_t>(fields);
  stat.group = next_number<pid_t>(fields);
  stat.session = next_number<pid_t>(fields);
  for (int field = 7; field < 20; ++field) next_number<std::int64_t>(fields);
  stat.threads = next_number<std::uint64_t>(fields);
  next_number<std::int64_t>(fields);
  stat.start_ticks = next_number<std::uint64_t>(fields);
  return stat;
}

std::vector<ProcessStat> all_processes() {
  std::vector<ProcessStat> found;
  const Dir dir(::opendir("/proc"));
  if (!dir) return found;
  while (const dirent* entry = ::readdir(dir.get())) {
    const auto pid = parse_pid(entry->d_name);
    if (!pid) continue;
    if (auto stat = read_process_stat(*pid)) found.push_back(std::move(*stat));
  }
  return found;
}

std::uint64_t count_tasks(uid_t user) {
  std::uint64_t count = 0;
  const Dir dir(::opendir("/proc"));
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    const auto pid = parse_pid(entry->d_name);
    struct stat info {};
    if (!pid || ::fstatat(::dirfd(dir.get()), entry->d_name, &info, 0) != 0 || info.st_uid != user) continue;
    if (const auto stat = read_process_stat(*pid)) count += stat->threads;
  }
  return count;
}

std::optional<std::vector<pid_t>> own_children() {
  std::vector<pid_t> found;
  const Dir dir(::opendir("/proc/self/task"));
  if (!dir) return std::nullopt;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (!parse_pid(entry->d_name)) continue;
    std::array<char, 4096> buffer;
    const auto text = read_small("/proc/self/task/" + std::string(entry->d_name) + "/children", buffer);
    if (!text || text->size() == buffer.size()) return std::nullopt;
    std::string_view left = *text;
    while (!left.empty()) {
      const auto space = left.find(' ');
      if (const auto pid = parse_pid(left.substr(0, space))) found.push_back(*pid);
      left.remove_prefix(space == std::string_view::npos ? left.size() : space + 1);
    }
  }
  return found;
}

base::UniqueFd open_pidfd(pid_t pid) { return base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

void signal_process(pid_t pid, std::uint64_t start_ticks, int signal) {
  const base::UniqueFd pidfd = open_pidfd(pid);
  if (!pidfd) return;
  // Looked at after the pidfd was opened: from here on the number cannot go to somebody else unnoticed.
  const auto stat = read_process_stat(pid);
  if (!stat || stat->start_ticks != start_ticks) return;
  ::syscall(SYS_pidfd_send_signal, pidfd.value(), signal, nullptr, 0);
}

}  // namespace os
