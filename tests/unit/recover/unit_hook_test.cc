#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "fakes/action_trial.h"
#include "os/systemd/systemd.h"

namespace {

using Unit = base::Result<os::UnitState>;
using Job = base::Result<std::string>;

os::UnitState unit(const std::string& active, const std::string& result = "success", int code = 0, int status = 0) {
  os::UnitState state;
  state.load = "loaded";
  state.active = active;
  state.result = result;
  state.exec_main_code = code;
  state.exec_main_status = status;
  return state;
}

// $RUNTIME_DIRECTORY as systemd sets it.
struct RuntimeDirectory {
  RuntimeDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-hook-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    ::setenv("RUNTIME_DIRECTORY", folder.c_str(), 1);
  }
  ~RuntimeDirectory() {
    ::unsetenv("RUNTIME_DIRECTORY");
    std::filesystem::remove_all(folder);
  }
  std::string folder;
};

}  // namespace

TEST_CASE("a unit hook is started once and its unit's result is told") {
  struct Row {
    Job job;
    Unit after;
    const char* end;
  };
  const Row rows[] = {
      {std::string("done"), unit("inactive"), "ok: unit hook clear-cache: done"},
      {std::string("done"), base::fail(base::Kind::not_found, "unloaded"), "ok: unit hook clear-cache: done"},
      {std::string("done"), unit("active"),
       "failed: unit hook clear-cache: fettle-hook-clear-cache.service is active after its start; a hook is "
       "Type=oneshot "
       "without RemainAfterExit=yes, else its result is not known"},
      {std::string("failed"), unit("failed", "exit-code", 1, 3),
       "failed: unit hook clear-cache: exit-code, exit code 3; see: journalctl -u fettle-hook-clear-cache.service"},
      {std::string("failed"), unit("failed", "signal", 2, 9),
       "failed: unit hook clear-cache: signal, signal 9; see: journalctl -u fettle-hook-clear-cache.service"},
      {std::string("failed"), unit("failed", "timeout", 2, 15),
       "timeout: unit hook clear-cache: timeout, signal 15; see: journalctl -u fettle-hook-clear-cache.service"},
      {std::string("dependency"), unit("inactive"),
       "failed: unit hook clear-cache: the job ended as 'dependency'; see: journalctl -u "
       "fettle-hook-clear-cache.service"},
      {std::string("canceled"), unit("inactive"),
       "failed: unit hook clear-cache: the job ended as 'canceled': a later job on the unit took its place"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end);
    fakes::ActionTrial t;
    const auto action = t.parse("unit_hook", "clear-cache");
    CHECK(action->text() == "unit_hook clear-cache");
    CHECK(action->systemd_job()->verb == "start");
    CHECK(action->systemd_job()->unit == "fettle-hook-clear-cache.service");
    t.run(*action);
    t.systemd.reads.answer(unit("inactive"));
    CHECK(t.systemd.jobs.last() == "start fettle-hook-clear-cache.service");
    t.systemd.jobs.answer(row.job);
    t.systemd.reads.answer(row.after);
    CHECK(t.end() == row.end);
  }
}

TEST_CASE("a unit hook is not started where its start would mean nothing") {
  os::UnitState masked = unit("inactive");
  masked.load = "masked";
  struct Row {
    Unit before;
    const char* end;
  };
  const Row rows[] = {
      {base::fail(base::Kind::not_found, "systemd knows no unit"),
       "refused: unit hook clear-cache: there is no unit fettle-hook-clear-cache.service; write it with Type=oneshot "
       "and "
       "the user and rights that it needs, then systemctl daemon-reload"},
      {masked,
       "refused: unit hook clear-cache: fettle-hook-clear-cache.service is masked; see: systemctl status "
       "fettle-hook-clear-cache.service"},
      {unit("active"),
       "refused: unit hook clear-cache: fettle-hook-clear-cache.service is active, and starting it would do nothing; a "
       "hook is Type=oneshot without RemainAfterExit=yes"},
      {unit("activating"),
       "refused: unit hook clear-cache: fettle-hook-clear-cache.service is still activating from before; its "
       "TimeoutStartSec ends it"},
      {base::fail(base::Kind::unavailable, "no bus"), "failed: unit hook clear-cache: no bus"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end);
    fakes::ActionTrial t;
    const auto action = t.parse("unit_hook", "clear-cache");
    t.run(*action);
    t.systemd.reads.answer(row.before);
    CHECK(t.systemd.jobs.asked().empty());
    CHECK(t.end() == row.end);
  }
}

TEST_CASE("what systemd refuses is told with what to do about it") {
  struct Row {
    base::Error error;
    const char* end;
  };
  const Row rows[] = {
      {{base::Kind::permission, "Access denied"},
       "refused: unit hook clear-cache: not allowed (Access denied); polkit must grant "
       "org.freedesktop.systemd1.manage-units for this unit and verb: install the rule that `fettle check config "
       "--print-polkit` prints"},
      {{base::Kind::cancelled, "'stop' is queued"},
       "refused: unit hook clear-cache: somebody else's job on the unit goes first; nothing was done ('stop' is "
       "queued)"},
      {{base::Kind::timeout, "the job goes on"}, "timeout: unit hook clear-cache: the job goes on"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end);
    fakes::ActionTrial t;
    const auto action = t.parse("unit_hook", "clear-cache");
    t.run(*action);
    t.systemd.reads.answer(unit("failed"));
    t.systemd.jobs.answer(tl::unexpected<base::Error>(row.error));
    CHECK(t.end() == row.end);
  }
}

TEST_CASE("a unit hook finds its event in the agent's runtime directory") {
  const RuntimeDirectory runtime;
  fakes::ActionTrial t;
  const auto action = t.parse("unit_hook", "clear-cache");
  t.run(*action);
  t.systemd.reads.answer(unit("inactive"));
  CHECK(base::read_file(runtime.folder + "/hook/clear-cache.json").value_or("none") == t.trigger.event_json);
  struct stat info {};
  REQUIRE(::stat((runtime.folder + "/hook").c_str(), &info) == 0);
  CHECK((info.st_mode & 0007) == 0);
  t.systemd.jobs.answer(std::string("done"));
  t.systemd.reads.answer(unit("inactive"));
  CHECK(t.end() == "ok: unit hook clear-cache: done");
}

TEST_CASE("a unit hook that has no place for its event is not started") {
  RuntimeDirectory runtime;
  ::setenv("RUNTIME_DIRECTORY", (runtime.folder + "/gone").c_str(), 1);
  fakes::ActionTrial t;
  const auto action = t.parse("unit_hook", "clear-cache");
  t.run(*action);
  t.systemd.reads.answer(unit("inactive"));
  CHECK(t.systemd.jobs.asked().empty());
  CHECK(t.end() == "refused: unit hook clear-cache: not started without its event: cannot write " + runtime.folder +
                       "/gone/hook/clear-cache.json: No such file or directory");
}

TEST_CASE("a unit hook that is given up says nothing more") {
  fakes::ActionTrial t;
  const auto action = t.parse("unit_hook", "clear-cache");
  t.run(*action);
  t.handle.reset();
  CHECK(t.systemd.reads.waiting() == 0);
  t.loop.run_due();
  CHECK(t.results.empty());
}

TEST_CASE("names of unit hooks can name nothing but unit hooks") {
  const fakes::ActionTrial t;
  CHECK(t.mistakes("unit_hook", "../sshd") ==
        "fettle.yml:1:9: do: '../sshd' names no hook: NAME stands for the unit fettle-hook-NAME.service, in small "
        "letters, digits, - and _\n");
  for (const char* name : {"''", "Clear", "-x", "a.service", "a@b", "a b", "[a]", "{name: a}"}) {
    CAPTURE(name);
    CHECK(t.mistakes("unit_hook", name).find("names no hook") != std::string::npos);
  }
}
