// Real processes: what a signal must and must not hit.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "fakes/action_trial.h"
#include "os/pid_watch.h"
#include "os/systemd/systemd.h"

namespace {

class Child {
 public:
  Child() {
    std::string program = "sleep", seconds = "7801";
    std::array<char*, 3> argv{program.data(), seconds.data(), nullptr};
    REQUIRE(::posix_spawnp(&pid, "sleep", nullptr, nullptr, argv.data(), environ) == 0);
  }
  ~Child() {
    if (pid == 0) return;
    ::kill(pid, SIGKILL);
    ended_by();
  }
  // The signal that ended it; 0 while it lives.
  int ended_by(int options = 0) {
    siginfo_t status{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &status, WEXITED | options) != 0 || status.si_pid == 0) return 0;
    pid = 0;
    return status.si_status;
  }
  pid_t pid = 0;
};

os::UnitState running(pid_t pid) {
  os::UnitState state;
  state.load = "loaded";
  state.active = "active";
  state.sub = "running";
  state.main_pid = pid;
  return state;
}

struct Pidfile {
  explicit Pidfile(pid_t pid) { std::ofstream(path) << pid << "\n"; }
  ~Pidfile() { std::filesystem::remove(path); }
  // So long ago, as far as its time tells.
  void written(std::chrono::seconds ago) const {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - ago);
  }
  std::string path =
      fmt::format("{}/fettle-signal-{}.pid", std::filesystem::temp_directory_path().string(), ::getpid());
};

}  // namespace

TEST_CASE("a signal goes to the main process that the unit vouches for") {
  fakes::ActionTrial t;
  Child child;
  const auto action = t.parse("signal", "TERM");
  CHECK(action->text() == "signal TERM order.service");
  t.run(*action);
  t.systemd.reads.answer(running(child.pid));
  CHECK(child.ended_by(WNOHANG) == 0);  // not before the unit was asked once more
  t.systemd.reads.answer(running(child.pid));
  CHECK(t.end() == fmt::format("ok: signal TERM order.service: sent to {} (sleep)", child.pid));
  CHECK(child.ended_by() == SIGTERM);
}

TEST_CASE("a signal can wait until the process is gone, and says how long that took or that it is still there") {
  fakes::ActionTrial t;
  Child child;
  const auto action = t.parse("signal", "{name: SIGCONT, wait: 2s}");
  t.run(*action);
  t.systemd.reads.answer(running(child.pid));
  t.systemd.reads.answer(running(child.pid));
  CHECK(t.pids.desk.last().pid == child.pid);
  SUBCASE("gone") {
    t.loop.advance(std::chrono::milliseconds{1200});
    t.pids.desk.answer(os::ProcessEnd{});
    CHECK(t.end() == fmt::format("ok: signal CONT order.service: {} (sleep) was gone 1s200ms later", child.pid));
  }
  SUBCASE("still there") {
    t.loop.advance(std::chrono::seconds{2});
    CHECK(t.end() == fmt::format("timeout: signal CONT order.service: {} (sleep) is still there 2s later", child.pid));
    CHECK(child.ended_by(WNOHANG) == 0);
  }
}

TEST_CASE("a signal is not sent when the unit's main process is not the one that was found") {
  Child child, other;
  struct Row {
    base::Result<os::UnitState> first, second;
    std::string end;
  };
  os::UnitState dead;
  dead.active = "failed";
  dead.sub = "failed";
  const std::string refused = "refused: signal KILL order.service: not sent: ";
  const Row rows[] = {
      {running(child.pid), running(other.pid),
       fmt::format("{}the main process of order.service was {} and is {} now: it has been started anew", refused,
                   child.pid, other.pid)},
      {running(child.pid), dead, refused + "order.service has no main process; it is failed (failed)"},
      {dead, dead, refused + "order.service has no main process; it is failed (failed)"},
      {base::fail(base::Kind::unavailable, "no bus"), dead, refused + "no bus"},
      {running(0x3fffff), dead, refused + "there is no process 4194303"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end);
    fakes::ActionTrial t;
    const auto action = t.parse("signal", "KILL");
    t.run(*action);
    t.systemd.reads.answer(row.first);
    if (t.systemd.reads.waiting() > 0) t.systemd.reads.answer(row.second);
    CHECK(t.end() == row.end);
    CHECK(child.ended_by(WNOHANG) == 0);
    CHECK(other.ended_by(WNOHANG) == 0);
  }
}

TEST_CASE("a pidfile vouches only for a process that is older than itself") {
  Child child;
  const Pidfile file(child.pid);
  SUBCASE("it was written when the process ran") {
    fakes::ActionTrial t;
    const auto action = t.parse("signal", fmt::format("{{name: KILL, pidfile: {}, program: sleep}}", file.path));
    t.run(*action);
    CHECK(t.end() == fmt::format("ok: signal KILL {}: sent to {} (sleep)", file.path, child.pid));
    CHECK(child.ended_by() == SIGKILL);
  }
  SUBCASE("the number has been given away since") {
    file.written(std::chrono::seconds{5});
    fakes::ActionTrial t;
    const auto action = t.parse("signal", fmt::format("{{name: KILL, pidfile: {}}}", file.path));
    t.run(*action);
    CHECK(t.end() == fmt::format("refused: signal KILL {0}: not sent: process {1} (sleep) is younger than {0}, so its "
                                 "number belonged to somebody else when the file was written",
                                 file.path, child.pid));
    CHECK(child.ended_by(WNOHANG) == 0);
  }
  SUBCASE("it is another program") {
    fakes::ActionTrial t;
    const auto action = t.parse("signal", fmt::format("{{name: KILL, pidfile: {}, program: order}}", file.path));
    t.run(*action);
    CHECK(t.end() ==
          fmt::format("refused: signal KILL {}: not sent: process {} is sleep, not order", file.path, child.pid));
    CHECK(child.ended_by(WNOHANG) == 0);
  }
}

TEST_CASE("a process of another user is refused with what to do instead") {
  if (::geteuid() == 0) {
    MESSAGE("skipped: root may signal everybody");
    return;
  }
  fakes::ActionTrial t;
  const auto action = t.parse("signal", "CONT");
  t.run(*action);
  t.systemd.reads.answer(running(1));
  t.systemd.reads.answer(running(1));
  CHECK(t.end().ends_with(
      "Operation not permitted; it is another user's: use {systemd: restart}, or a unit_hook that has "
      "the right"));
}

TEST_CASE("mistakes in a signal are named") {
  fakes::ActionTrial t;
  CHECK(t.mistakes("signal", "TREM") ==
        "fettle.yml:1:9: do: expected one of TERM, KILL, QUIT, INT, ABRT, HUP, USR1, USR2, CONT, got 'TREM'; did you "
        "mean "
        "'TERM'?\n");
  CHECK(t.mistakes("signal", "{name: HUP, pidfile: run/order.pid}") ==
        "fettle.yml:1:30: do.pidfile: must be an absolute path\n");
  t.owner.unit.clear();
  CHECK(t.mistakes("signal", "HUP") ==
        "fettle.yml:1:9: do: service order has no unit whose main process could be meant; set its unit, or write "
        "{signal: "
        "{name: HUP, pidfile: /run/order.pid}}\n");
}
