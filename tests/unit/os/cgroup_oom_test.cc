// memory.events: what stands in it, and that a kill is told as it is counted, over a folder that looks like cgroup v2.
#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fakes/run_until.h"
#include "os/cgroup_oom.h"
#include "os/pid_watch.h"

namespace {

using namespace std::chrono_literals;

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "fettle-cgroup-XXXXXX").string();
};

// As the kernel has it: low and oom go up without anybody being killed.
void count(const std::string& file, int kills, int low = 0) {
  std::ofstream(file) << "low " << low << "\nhigh 0\nmax 12\noom 3\noom_kill " << kills << "\noom_group_kill 0\n";
}

}  // namespace

TEST_CASE("kills are read from memory.events") {
  CHECK(os::oom_kills_in("low 0\nhigh 0\nmax 0\noom 4\noom_kill 3\noom_group_kill 9\n") == 3);
  CHECK(os::oom_kills_in("oom_kill 18446744073709551615") == 18'446'744'073'709'551'615U);
  CHECK_FALSE(os::oom_kills_in("low 0\nhigh 0\nmax 0\noom 4\n"));
  CHECK_FALSE(os::oom_kills_in("oom_kill many\n"));
  CHECK_FALSE(os::oom_kills_in(""));
}

TEST_CASE("a kill is told with its number, other changes are not") {
  const Folder folder;
  const std::string file = folder.path() + "/memory.events";
  count(file, 2);
  loop::EventLoop loop;
  std::vector<std::uint64_t> told;
  {
    const auto watching = os::watch_oom_kills(loop, file, [&](std::uint64_t kills) { told.push_back(kills); });
    REQUIRE(watching);
    count(file, 2, 1);
    count(file, 3);
    REQUIRE(fakes::run_until(loop, [&] { return told.size() == 1; }));
    count(file, 3, 5);
    count(file, 6);
    REQUIRE(fakes::run_until(loop, [&] { return told.size() == 2; }));
    CHECK(told == std::vector<std::uint64_t>{1, 3});
    // systemd removes the group of a unit that has ended: that is no kill, and nothing to stumble over.
    std::filesystem::remove(file);
    const auto soon = loop.now() + 20ms;
    fakes::run_until(loop, [&] { return loop.now() >= soon; });
    CHECK(told.size() == 2);
  }
  CHECK_FALSE(os::watch_oom_kills(loop, file, [](std::uint64_t) {}));
  std::ofstream(file) << "low 0\n";
  const auto silent = os::watch_oom_kills(loop, file, [](std::uint64_t) {});
  REQUIRE_FALSE(silent);
  CHECK(silent.error().text == file + " counts no kills");
}

TEST_CASE("a process' control group is found below the mount, and its kills are told") {
  const auto group = os::control_group_of(::getpid());
  if (!group) {
    MESSAGE("skipped: " << group.error().text);
    return;
  }
  const Folder folder;
  std::filesystem::create_directories(folder.path() + *group);
  const std::string file = folder.path() + *group + "/memory.events";
  count(file, 0);
  loop::EventLoop loop;
  os::PidWatch pids(loop, folder.path());
  const auto self = os::read_process(::getpid());
  REQUIRE(self);
  std::uint64_t told = 0;
  const auto watching = pids.watch_memory(*self, [&](std::uint64_t kills) { told += kills; });
  REQUIRE(watching);
  count(file, 1);
  CHECK(fakes::run_until(loop, [&] { return told == 1; }));

  os::PidWatch elsewhere(loop, folder.path() + "/version1");
  CHECK_FALSE(elsewhere.watch_memory(*self, [](std::uint64_t) {}));
  CHECK_FALSE(os::control_group_of(0x3fffffff));
}
