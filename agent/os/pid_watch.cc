#include "os/pid_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/file.h"
#include "base/number.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "os/cgroup_oom.h"
#include "os/own_view.h"
#include "os/process_table.h"

namespace os {
namespace {

using namespace std::chrono_literals;

// PIDFD_GET_INFO of linux/pidfd.h (6.13; the exit code since 6.15), written down here because the headers of older
// systems lack it. Kernels that do not know it answer ENOTTY.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t kInfoExit = 1u << 3;

// A wait status; none before the parent has reaped it.
std::optional<int> exit_status(int pidfd) {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (::ioctl(pidfd, kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return std::nullopt;
  return info.exit_code;
}

// The kernel knows the exit code only when the parent has reaped, which it does in the same moment in which we are
// woken: one second look, soon enough to cost a reaction nothing.
constexpr auto kSecondLook = 300us;

class PidWatching final : public loop::Registration {
 public:
  PidWatching(loop::EventLoop& loop, pid_t pid, base::UniqueFd pidfd, std::function<void(ProcessEnd)> gone)
      : loop_(loop), pidfd_(std::move(pidfd)), gone_(std::move(gone)) {
    end_.pid = pid;
    watch_ = loop_.watch(pidfd_.value(), {.read = true}, [this](loop::Ready) {
      watch_.reset();
      end_.noticed = loop_.now();
      if (const auto status = exit_status(pidfd_.value())) return tell(status);
      second_look_ = loop_.after(kSecondLook, [this] { tell(exit_status(pidfd_.value())); });
    });
  }

 private:
  void tell(std::optional<int> status) {
    if (status && WIFEXITED(*status)) end_.exit_code = WEXITSTATUS(*status);
    if (status && WIFSIGNALED(*status)) end_.signal = WTERMSIG(*status);
    // On the stack: the callback may drop this.
    const auto gone = std::move(gone_);
    gone(end_);
  }

  loop::EventLoop& loop_;
  base::UniqueFd pidfd_;
  std::function<void(ProcessEnd)> gone_;
  ProcessEnd end_;
  loop::Handle watch_, second_look_;
};

Process to_process(const ProcessStat& stat) {
  return Process{.pid = stat.pid, .start_ticks = stat.start_ticks, .name = stat.name};
}

// Process that is there although /proc does not show it: the kernel says that it may not be signalled.
bool is_hidden(pid_t pid) { return ::kill(pid, 0) != 0 && errno == EPERM; }

std::string hidden_text(const std::string& what) {
  return what + " cannot be seen by the agent: /proc hides them (ProtectProc= of its unit must be default, and /proc " +
         "mounted without hidepid= for its user)";
}

// The file name of argv[0]; "" for kernel threads.
std::string program_name(pid_t pid) {
  const auto line = base::read_file(fmt::format("/proc/{}/cmdline", pid));
  if (!line) return "";
  const std::string first = line->substr(0, line->find('\0'));
  return first.substr(first.rfind('/') + 1);
}

}  // namespace

base::Result<Process> read_process(pid_t pid) {
  errno = 0;
  const auto stat = read_process_stat(pid);
  const int code = errno;
  if (!stat && is_own_want(code)) return base::fail_errno(code, fmt::format("cannot look at process {}", pid));
  if (!stat && is_hidden(pid)) return base::fail(base::Kind::permission, hidden_text(fmt::format("process {}", pid)));
  if (!stat || stat->ended()) return base::fail(base::Kind::not_found, fmt::format("there is no process {}", pid));
  return to_process(*stat);
}

base::Result<std::vector<Process>> find_processes(const std::string& name) {
  if (const base::UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); !proc)
    return base::fail_errno(errno, "cannot look for processes");
  if (!read_process_stat(1) && is_hidden(1))
    return base::fail(base::Kind::permission, hidden_text("the processes of other users"));
  std::vector<Process> found;
  for (const ProcessStat& stat : all_processes())
    if (!stat.ended() && (stat.name == name || program_name(stat.pid) == name)) found.push_back(to_process(stat));
  std::sort(found.begin(), found.end(), [](const Process& a, const Process& b) {
    return std::pair(a.start_ticks, a.pid) < std::pair(b.start_ticks, b.pid);
  });
  return found;
}

base::Result<Process> read_pidfile(const std::string& path) {
  auto text = base::read_file(path, 64);
  if (!text) return tl::unexpected<base::Error>(std::move(text).error());
  const auto first = text->find_first_not_of(" \t\n");
  const pid_t pid =
      first == std::string::npos ? 0 : base::leading_number<pid_t>(std::string_view(*text).substr(first)).value_or(0);
  if (pid <= 0) return base::fail(base::Kind::invalid, fmt::format("{} holds no process number", path));
  auto process = read_process(pid);
  if (!process)
    return base::fail(base::Kind::not_found, fmt::format("{} names process {}, which does not exist", path, pid));
  return process;
}

namespace {

// A pidfd that is this process and no later one with its number.
base::Result<base::UniqueFd> pin(const Process& process, std::string_view what) {
  base::UniqueFd pidfd = open_pidfd(process.pid);
  if (!pidfd && errno != ESRCH) return base::fail_errno(errno, fmt::format("cannot {} process {}", what, process.pid));
  // Looked at after the pidfd was opened: if it is the same now, the pidfd is the same.
  const auto stat = read_process_stat(process.pid);
  if (!pidfd || !stat || stat->ended())
    return base::fail(base::Kind::not_found, fmt::format("process {} is gone", process.pid));
  if (stat->start_ticks != process.start_ticks)
    return base::fail(base::Kind::not_found,
                      fmt::format("process {} is gone; its number belongs to {} now", process.pid, stat->name));
  return pidfd;
}

}  // namespace

base::Result<> signal_process(const Process& process, int signal) {
  TRY(const base::UniqueFd pidfd, pin(process, "signal"));
  if (::syscall(SYS_pidfd_send_signal, pidfd.value(), signal, nullptr, 0) == 0) return {};
  const int code = errno;
  const std::string what = fmt::format("cannot signal process {} ({})", process.pid, process.name);
  if (code == ESRCH) return base::fail(base::Kind::not_found, fmt::format("process {} is gone", process.pid));
  return base::fail_errno(code, what);
}

base::Result<loop::Handle> PidWatch::watch(const Process& process, std::function<void(ProcessEnd)> gone) {
  TRY(base::UniqueFd pidfd, pin(process, "watch"));
  return loop::Handle(std::make_unique<PidWatching>(loop_, process.pid, std::move(pidfd), std::move(gone)));
}

base::Result<loop::Handle> PidWatch::watch_memory(const Process& process, std::function<void(std::uint64_t)> killed) {
  TRY(const std::string group, control_group_of(process.pid));
  return watch_oom_kills(loop_, control_groups_ + group + "/memory.events", std::move(killed));
}

}  // namespace os
