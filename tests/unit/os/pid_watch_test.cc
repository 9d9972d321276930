#include "os/pid_watch.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "fakes/run_until.h"

namespace {

// A child of this process that lives until it is told otherwise.
class Child {
 public:
  explicit Child(std::string script) {
    std::string shell = "sh", option = "-c";
    std::array<char*, 4> argv{shell.data(), option.data(), script.data(), nullptr};
    REQUIRE(::posix_spawnp(&pid, "sh", nullptr, nullptr, argv.data(), environ) == 0);
  }
  ~Child() {
    ::kill(pid, SIGKILL);
    reap();
  }
  void reap() const { ::waitid(P_PID, static_cast<id_t>(pid), nullptr, WEXITED); }
  pid_t pid = 0;
};

bool kernel_tells_exit_codes() {
  utsname name{};
  ::uname(&name);
  char* rest = nullptr;
  const long major = std::strtol(name.release, &rest, 10);
  const long minor = std::strtol(rest + 1, nullptr, 10);
  return major > 6 || (major == 6 && minor >= 15);
}

}  // namespace

TEST_CASE("the end of a process is told once, with its signal where the kernel tells it") {
  loop::EventLoop loop;
  os::PidWatch watcher(loop);
  const Child child("kill -STOP $$");
  const auto process = os::read_process(child.pid);
  REQUIRE(process.has_value());
  CHECK(process->start_ticks > 0);

  int told = 0;
  os::ProcessEnd end;
  const auto handle = watcher.watch(*process, [&](os::ProcessEnd e) {
    end = e;
    ++told;
  });
  REQUIRE(handle.has_value());
  ::kill(child.pid, SIGKILL);
  child.reap();
  REQUIRE(fakes::run_until(loop, [&] { return told > 0; }));
  CHECK(told == 1);
  CHECK(end.pid == child.pid);
  CHECK(end.noticed <= loop.now());
  if (kernel_tells_exit_codes()) CHECK(end.signal == SIGKILL);
  else MESSAGE("not checked: this kernel does not tell exit codes through a pidfd (6.15 does)");
  CHECK_FALSE(end.exit_code.has_value());
}

TEST_CASE("a dropped Handle tells nothing, also when it is dropped by the callback itself") {
  loop::EventLoop loop;
  os::PidWatch watcher(loop);
  const Child child("kill -STOP $$");
  const auto process = *os::read_process(child.pid);
  int told = 0;
  auto dropped = *watcher.watch(process, [&](auto) { told += 100; });
  loop::Handle self;
  self = *watcher.watch(process, [&](auto) {
    self.reset();
    ++told;
  });
  dropped.reset();
  ::kill(child.pid, SIGKILL);
  CHECK(fakes::run_until(loop, [&] { return told > 0; }));
  CHECK(told == 1);
}

TEST_CASE("who is gone, is a zombie or is somebody else by now cannot be watched") {
  loop::EventLoop loop;
  os::PidWatch watcher(loop);
  const Child child("kill -STOP $$");
  auto process = *os::read_process(child.pid);
  ++process.start_ticks;
  const auto other = watcher.watch(process, [](auto) {});
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().kind == base::Kind::not_found);
  CHECK(other.error().text == "process " + std::to_string(child.pid) + " is gone; its number belongs to sh now");

  ::kill(child.pid, SIGKILL);
  siginfo_t status{};
  ::waitid(P_PID, static_cast<id_t>(child.pid), &status, WEXITED | WNOWAIT);
  CHECK_FALSE(os::read_process(child.pid).has_value());
  --process.start_ticks;
  CHECK(watcher.watch(process, [](auto) {}).error().text == "process " + std::to_string(child.pid) + " is gone");
  child.reap();
  CHECK(watcher.watch(process, [](auto) {}).error().kind == base::Kind::not_found);
}

TEST_CASE("processes are found by name, the oldest first") {
  const Child one("exec sleep 7701"), two("exec sleep 7702");
  std::vector<os::Process> found;
  // In the middle of exec a process has its new arguments and its old name.
  while (found.size() < 2) {
    found.clear();
    const auto sleepers = os::find_processes("sleep").value();
    for (const auto& process : sleepers)
      if (process.name == "sleep" && (process.pid == one.pid || process.pid == two.pid)) found.push_back(process);
  }
  CHECK(found.at(0).pid == std::min(one.pid, two.pid));
  CHECK(found.at(0).name == "sleep");
  CHECK(os::find_processes("no such program").value().empty());
}

TEST_CASE("a pidfile is read, and what is wrong with it is said") {
  const auto path = std::filesystem::temp_directory_path() / ("fettle-pidfile-" + std::to_string(::getpid()));
  struct Row {
    std::string content;
    std::string error;
  };
  for (const Row& row :
       {Row{std::to_string(::getpid()) + "\n", ""}, Row{"  " + std::to_string(::getpid()), ""},
        Row{"", path.string() + " holds no process number"}, Row{"x\n", path.string() + " holds no process number"},
        Row{"-1\n", path.string() + " holds no process number"},
        Row{"2147483646\n", path.string() + " names process 2147483646, which does not exist"}}) {
    CAPTURE(row.content);
    std::ofstream(path) << row.content;
    const auto process = os::read_pidfile(path);
    CHECK(process.has_value() == row.error.empty());
    if (process) CHECK(process->pid == ::getpid());
    else CHECK(process.error().text == row.error);
  }
  std::filesystem::remove(path);
  CHECK(os::read_pidfile(path).error().kind == base::Kind::not_found);
}
