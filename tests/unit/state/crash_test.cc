// kill -9 at any moment: what was acknowledged is there, whole calls only, in order, and the file is sound.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>

#include "base/random.h"
#include "base/unique_fd.h"
#include "fakes/temporary_folder.h"
#include "fakes/waiting_loop.h"
#include "state/state.h"

namespace {

// Starts the child, kills it after it has acknowledged about `acknowledgements` calls and burned `turns` more, and
// returns the last number that it printed, or -1.
long run_and_kill(const std::string& folder, long first, std::size_t acknowledgements, std::uint64_t turns) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const base::UniqueFd reading(ends[0]);
  base::UniqueFd writing(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writing.value(), STDOUT_FILENO);
  std::string program = FETTLE_CRASH_CHILD;
  std::string folder_argument = folder;
  std::string number = std::to_string(first);
  std::array<char*, 4> arguments = {program.data(), folder_argument.data(), number.data(), nullptr};
  pid_t pid = 0;
  REQUIRE(::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  writing.reset();

  std::string printed;
  std::array<char, 4096> buffer;
  std::size_t lines = 0;
  bool killed = false;
  for (;;) {
    if (!killed && lines >= acknowledgements) {
      volatile std::uint64_t spin = 0;
      while (spin < turns) spin = spin + 1;
      ::kill(pid, SIGKILL);
      killed = true;
    }
    const ssize_t n = ::read(reading.value(), buffer.data(), buffer.size());
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; ++i) lines += buffer[static_cast<std::size_t>(i)] == '\n';
    printed.append(buffer.data(), static_cast<std::size_t>(n));
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFSIGNALED(status));
  printed.resize(printed.rfind('\n') == std::string::npos ? 0 : printed.rfind('\n'));
  if (printed.empty()) return -1;
  const std::size_t start = printed.rfind('\n');
  return std::stol(printed.substr(start == std::string::npos ? 0 : start + 1));
}

std::string integrity(const std::string& path) {
  sqlite3* db = nullptr;
  std::string verdict;
  REQUIRE(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
  sqlite3_exec(
      db, "PRAGMA integrity_check",
      [](void* out, int, char** columns, char**) {
        *static_cast<std::string*>(out) += columns[0];
        return 0;
      },
      &verdict, nullptr);
  sqlite3_close(db);
  return verdict;
}

}  // namespace

TEST_CASE("kill -9 loses no call that was acknowledged, and leaves no half of one") {
  const fakes::TemporaryFolder folder;
  base::Random random(99);
  fakes::WaitingLoop loop;
  long first = 0;
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    const long acknowledged =
        run_and_kill(folder.path(), first, random.below(round % 4 == 0 ? 2 : 60), random.below(500'000));
    const std::string file = folder.path() + "/fettle.db";
    REQUIRE((std::filesystem::exists(file) || acknowledged < 0));  // it may die before it makes the file
    if (std::filesystem::exists(file)) REQUIRE(integrity(file) == "ok");
    std::string notice;
    const auto opened = state::open(folder.path(), loop, notice);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().text);
    REQUIRE(notice == "");
    const auto& audit = (*opened)->read(state::Table::audit);
    const auto& budgets = (*opened)->read(state::Table::budgets);
    const long kept = static_cast<long>(audit.size()) - 1;  // numbers from 0 without a gap
    REQUIRE(kept >= acknowledged);
    if (kept >= 0) {
      REQUIRE(audit.contains(std::to_string(kept)));
      REQUIRE(audit.at(std::to_string(kept)).size() == static_cast<std::size_t>(kept % 900));
      REQUIRE(budgets.at("latest") == std::to_string(kept));
    }
    first = kept + 1;
  }
  CHECK(first > 0);
}
