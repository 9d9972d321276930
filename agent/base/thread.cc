#include "base/thread.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

namespace base {
namespace {

class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

// pthread_create(3) gives EAGAIN for both.
std::string what_to_raise() {
  std::size_t stack = 0;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_getstacksize(&attributes, &stack);
  ::pthread_attr_destroy(&attributes);
  // Writable memory counts for both limits, and is not taken before it is used.
  void* const room = ::mmap(nullptr, stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED)
    return "raise LimitAS= or LimitDATA= of the unit, or ulimit -v or -d: there is no memory for its stack";
  ::munmap(room, stack);
  return "raise TasksMax= of the unit, the pids limit of the container, or ulimit -u: there are as many tasks as there "
         "may be";
}

// Of this process, as the kernel counts them; 0 without /proc.
std::size_t tasks() {
  struct stat status {};
  return ::stat("/proc/self/task", &status) == 0 ? static_cast<std::size_t>(status.st_nlink) : 0;
}

}  // namespace

Result<std::thread> start_thread(std::string_view purpose, std::function<void()> work) {
  const NoSignals none;
  try {
    return std::thread(std::move(work));
  } catch (const std::system_error&) {
    return fail(Kind::limit, fmt::format("no thread can be started {}: {}", purpose, what_to_raise()));
  }
}

// glibc gives a thread the soft limit of the stack: 64 KiB are too few for an expression of many brackets, and of a
// gigabyte there is none for each.
std::string settle_stacks() {
  constexpr rlim_t kStack = 8 << 20, kFewest = 1 << 20;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStack);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= kFewest) return "";
  const rlimit wanted{std::min(kStack, limit.rlim_max), limit.rlim_max};
  if (wanted.rlim_cur >= kFewest && ::setrlimit(RLIMIT_STACK, &wanted) == 0) return "";
  return fmt::format(
      "its stack may be {} KiB, and {} are needed: raise LimitSTACK= of the unit, or ulimit -H -s and ulimit -s",
      limit.rlim_max >> 10, kFewest >> 10);
}

ThreadRoom room_for_threads(std::size_t most) {
  ThreadRoom room;
  const std::size_t before = tasks();
  std::latch end(1);
  std::vector<std::thread> started;
  started.reserve(most);
  {
    const NoSignals none;
    try {
      while (started.size() < most) started.emplace_back([&end] { end.wait(); });
    } catch (const std::system_error&) {
      room.raise = what_to_raise();
    } catch (const std::bad_alloc&) {
      room.raise = what_to_raise();
    }
  }
  end.count_down();
  for (std::thread& each : started) each.join();
  room.threads = started.size();
  // A thread that was joined counts until the kernel is done with it.
  constexpr int kLongest = 1000;
  for (int i = 0; i < kLongest && tasks() > before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return room;
}

}  // namespace base
