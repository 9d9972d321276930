#include "base/thread.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"

namespace {

// What `told` returned, in a process of its own that may have so many tasks. As a user of whom no other process is, for
// root is not bound; "" if the test may not become that user.
std::string with_tasks(rlim_t tasks, const std::function<std::string()>& told) {
  constexpr uid_t kNobodyElse = 0x7e771e;
  int ends[2] = {-1, -1};
  REQUIRE(::pipe(ends) == 0);
  base::UniqueFd reading(ends[0]), writing(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit few{tasks, tasks};
    if (::setresuid(kNobodyElse, kNobodyElse, kNobodyElse) != 0 || ::setrlimit(RLIMIT_NPROC, &few) != 0) ::_exit(0);
    const std::string text = told();
    ::_exit(::write(writing.value(), text.data(), text.size()) < 0 ? 1 : 0);
  }
  writing.reset();
  std::string text(4096, '\0');
  const ssize_t length = ::read(reading.value(), text.data(), text.size());
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  ::waitpid(child, nullptr, 0);
  return text;
}

}  // namespace

TEST_CASE("a thread runs without signals, and room for many is found") {
  std::atomic<bool> blocked{false};
  auto started = base::start_thread("for this test", [&] {
    sigset_t now;
    ::sigemptyset(&now);
    ::pthread_sigmask(SIG_BLOCK, nullptr, &now);
    blocked = ::sigismember(&now, SIGTERM) == 1 && ::sigismember(&now, SIGUSR1) == 1;
  });
  REQUIRE(started.has_value());
  started->join();
  CHECK(blocked);
  sigset_t here;
  ::sigemptyset(&here);
  ::pthread_sigmask(SIG_BLOCK, nullptr, &here);
  CHECK(::sigismember(&here, SIGUSR1) == 0);
  const base::ThreadRoom room = base::room_for_threads(20);
  CHECK(room.threads == 20);
  CHECK(room.raise == "");
}

TEST_CASE("where there are as many tasks as there may be, what to raise is said, and nothing ends") {
  const std::string told = with_tasks(7, [] {
    std::string text;
    for (int i = 0; i < 20; ++i) {  // what was tried is free again at once
      const base::ThreadRoom room = base::room_for_threads(20);
      if (room.threads != 6) text += std::to_string(room.threads) + " ";
      if (i == 19) text += room.raise;
    }
    return text;
  });
  if (told.empty()) {
    MESSAGE("skipped: the limit of tasks does not bind root, and this user may not become another one");
    return;
  }
  CHECK(told ==
        "raise TasksMax= of the unit, the pids limit of the container, or ulimit -u: there are as many tasks as there "
        "may be");
  CHECK(
      with_tasks(1,
                 [] {
                   const auto started = base::start_thread("for this test", [] {});
                   return started ? "started" : started.error().text;
                 }) ==
      "no thread can be started for this test: raise TasksMax= of the unit, the pids limit of the container, or ulimit "
      "-u: there are as many tasks as there may be");
}
