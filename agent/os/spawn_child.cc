#include "os/spawn_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "os/process_table.h"

namespace os {
namespace {

struct Resource {
  int which;
  rlimit value;
};

// All that the child needs, made before it exists: it may call nothing that allocates or takes a lock.
struct Prepared {
  const char* path;
  char* const* argv;
  char* const* environment;
  const char* directory;
  std::array<int, 3> descriptors;
  const Resource* resources;
  std::size_t resource_count;
  Priority priority;
  pid_t parent;
  int failed;  // errno; the child writes into our memory
};

constexpr int kNice = 19;
constexpr int kWhoProcess = 1, kIdleClass = 3 << 13;  // ioprio_set(2), which has no header

// Runs in our memory on a stack of its own. What it returns is an exit status; a successful exec does not return.
__attribute__((no_sanitize("address", "undefined", "thread"))) int run_child(void* argument) {
  auto& start = *static_cast<Prepared*>(argument);
  const auto fail = [&start] {
    start.failed = errno;
    return 127;
  };
  // Before any signal comes through: our handlers must not run here. exec would keep what is ignored.
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &plain, nullptr);
  if (::setsid() < 0) return fail();
  for (int to = 0; to < 3; ++to) {
    const int from = start.descriptors[static_cast<std::size_t>(to)];
    if ((from == to ? ::fcntl(from, F_SETFD, 0) : ::dup2(from, to)) < 0) return fail();
  }
  ::closefrom(STDERR_FILENO + 1);
  if (::chdir(start.directory) != 0) return fail();
  for (std::size_t i = 0; i < start.resource_count; ++i)
    if (::prlimit(0, static_cast<__rlimit_resource>(start.resources[i].which), &start.resources[i].value, nullptr) != 0)
      return fail();
  if (start.priority == Priority::background) {
    // What may not be lowered runs as it is.
    ::setpriority(PRIO_PROCESS, 0, kNice);
    ::syscall(SYS_ioprio_set, kWhoProcess, 0, kIdleClass);
    // Not SIGTERM, with which a PostgreSQL would wait for its clients.
    if (::prctl(PR_SET_PDEATHSIG, SIGINT) != 0) return fail();
    if (::getppid() != start.parent) return 127;  // it died before that
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(start.path, start.argv, start.environment);
  return fail();
}

// Never above what this process may give.
void add(std::vector<Resource>& out, __rlimit_resource which, std::uint64_t soft, std::uint64_t hard) {
  rlimit own{};
  ::getrlimit(which, &own);
  out.push_back({which, {std::min<rlim_t>(soft, own.rlim_max), std::min<rlim_t>(hard, own.rlim_max)}});
}

std::vector<Resource> resources_of(const Limits& limits) {
  std::vector<Resource> out;
  if (const auto seconds = static_cast<std::uint64_t>(limits.cpu.count()); seconds > 0)
    add(out, RLIMIT_CPU, seconds, seconds + 1);
  if (limits.file_bytes > 0) add(out, RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes);
  if (limits.open_files > 0) add(out, RLIMIT_NOFILE, limits.open_files, limits.open_files);
  if (limits.memory_bytes > 0) add(out, RLIMIT_AS, limits.memory_bytes, limits.memory_bytes);
  if (limits.processes > 0) {
    const std::uint64_t most = count_tasks(::getuid()) + limits.processes;
    add(out, RLIMIT_NPROC, most, most);
  }
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

int spawn_child(const ChildStart& start, pid_t& pid) {
  std::vector<std::string> words = start.argv, variables;
  for (const auto& [name, value] : start.environment) variables.push_back(fmt::format("{}={}", name, value));
  const std::vector<char*> argv = pointers(words), environment = pointers(variables);
  const std::vector<Resource> resources = resources_of(start.limits);
  Prepared prepared{start.path.c_str(),
                    argv.data(),
                    environment.data(),
                    start.directory.c_str(),
                    {start.in, start.out, start.err},
                    resources.data(),
                    resources.size(),
                    start.priority,
                    ::getpid(),
                    0};
  // On our stack: this thread does not return from clone before the child has left it.
  alignas(16) std::array<char, 32 * 1024> stack;
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid = ::clone(&run_child, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &prepared);
  const int code = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return code;
  if (prepared.failed == 0) return 0;
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED) != 0 && errno == EINTR) {
  }
  return prepared.failed;
}

}  // namespace os
