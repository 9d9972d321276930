#include "state/state.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "fakes/temporary_folder.h"
#include "opened_state.h"

namespace {

using state::Change;
using state::Table;

// No file of this process may grow beyond `bytes`, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("each call that becomes durable tells how long that took, before its callback; one that fails does not") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  std::string notice;
  std::vector<std::string> heard;
  auto opened = state::open(folder.path(), loop, notice, [&](base::Duration) { heard.push_back("took"); });
  REQUIRE(opened.has_value());
  (*opened)->commit({Change::put(Table::alerts, "a", "1")}, [&](base::Result<>) { heard.push_back("durable"); });
  while (heard.size() < 2) REQUIRE(loop.run_one());
  CHECK(heard == std::vector<std::string>{"took", "durable"});
  const FullDisk disk(4096);
  CHECK_FALSE(commit(**opened, loop, {Change::put(Table::alerts, "b", std::string(1 << 20, 'x'))}));
  CHECK(heard.size() == 2);
}

TEST_CASE("what was durable is there after the next start") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  const std::string bytes("\0\xff{\"a\":1}\n", 10);
  {
    const auto state = open_state(folder.path() + "/new/folder", loop);
    CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "1"), Change::put(Table::audit, "1", bytes)}));
    CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "2"), Change::put(Table::budgets, "", "empty")}));
    CHECK(commit(*state, loop, {Change::remove(Table::audit, "none"), Change::put(Table::alerts, bytes, "")}));
  }
  const auto state = open_state(folder.path() + "/new/folder", loop);
  using Map = std::map<std::string, std::string>;
  CHECK(state->read(Table::budgets) == Map{{"order", "2"}, {"", "empty"}});
  CHECK(state->read(Table::audit) == Map{{"1", bytes}});
  CHECK(state->read(Table::alerts) == Map{{bytes, ""}});
  CHECK(state->read(Table::silences).empty());
  CHECK(commit(*state, loop, {Change::remove(Table::budgets, "order")}));
  CHECK(state->read(Table::budgets) == Map{{"", "empty"}});
}

TEST_CASE("callbacks come in order, in a later turn, on the thread of the loop") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  const auto state = open_state(folder.path(), loop);
  std::vector<int> order;
  for (int i = 0; i < 200; ++i) {
    state->commit({Change::put(Table::budgets, std::to_string(i % 7), std::to_string(i))},
                  [&, i, here = std::this_thread::get_id()](const base::Result<>& r) {
                    CHECK(r.has_value());
                    CHECK(std::this_thread::get_id() == here);
                    order.push_back(i);
                  });
    CHECK(state->read(Table::budgets).at(std::to_string(i % 7)) == std::to_string(i));
  }
  CHECK(order.empty());
  while (order.size() < 200) REQUIRE(loop.run_one());
  for (int i = 0; i < 200; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("the end of a State writes what waits and silences its callbacks") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  int called = 0;
  {
    const auto state = open_state(folder.path(), loop);
    for (int i = 0; i < 50; ++i)
      state->commit({Change::put(Table::audit, std::to_string(i), "x")}, [&](const base::Result<>&) { ++called; });
  }
  loop.run_posted();
  CHECK(called == 0);
  CHECK(open_state(folder.path(), loop)->read(Table::audit).size() == 50);
}

TEST_CASE("a callback may end the State that calls it") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  auto state = open_state(folder.path(), loop);
  int called = 0;
  for (int i = 0; i < 3; ++i)
    state->commit({Change::put(Table::audit, std::to_string(i), "x")}, [&](const base::Result<>&) {
      ++called;
      state.reset();
    });
  while (state) REQUIRE(loop.run_one());
  loop.run_posted();
  CHECK(called == 1);
  CHECK(open_state(folder.path(), loop)->read(Table::audit).size() == 3);
}

TEST_CASE("a second agent on the same folder is told who has it") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  auto first = open_state(folder.path(), loop);
  std::string notice;
  const auto second = state::open(folder.path(), loop, notice);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().kind == base::Kind::unavailable);
  CHECK(second.error().text == "another agent (process " + std::to_string(::getpid()) + ") is using the state folder " +
                                   folder.path() + ": stop it, or give this one another --storage.path");
  first.reset();
  (void)open_state(folder.path(), loop);
}

// Between fork and exec a child has all descriptors of the agent that started it.
TEST_CASE("what an agent that was killed was just starting keeps the folder for a moment only") {
  const fakes::TemporaryFolder folder;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  const std::string path = folder.write("fettle.lock", std::to_string(gone));
  base::UniqueFd held(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(held.value(), LOCK_EX) == 0);
  // Opened to be locked, and once more to see whose it is: by then it was found taken.
  const base::UniqueFd watch(::inotify_init1(IN_CLOEXEC));
  REQUIRE(::inotify_add_watch(watch.value(), path.c_str(), IN_OPEN) >= 0);
  std::thread child([&] {
    for (int opened = 0; opened < 2; ++opened) {
      inotify_event event{};
      if (::read(watch.value(), &event, sizeof event) != sizeof event) break;
    }
    held.reset();
  });
  fakes::WaitingLoop loop;
  std::string notice;
  const auto state = state::open(folder.path(), loop, notice);
  child.join();
  CHECK(state.has_value());
}

TEST_CASE("an agent that cannot write its state starts, says so, and keeps nothing") {
  struct Row {
    std::string name;
    std::function<std::string(const std::string& parent)> folder;
    std::string trouble;
  };
  const Row rows[] = {
      {"the folder cannot be made", [](const std::string&) { return "/dev/null/fettle"; },
       "cannot open /dev/null/fettle/fettle.db: unable to open database file"},
      {"a folder lies where the file should be",
       [](const std::string& parent) {
         std::filesystem::create_directories(parent + "/fettle.db");
         return parent;
       },
       "cannot open {}/fettle.db: unable to open database file"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const fakes::TemporaryFolder parent;
    fakes::WaitingLoop loop;
    const std::string folder = row.folder(parent.path());
    std::string trouble = row.trouble;
    if (const auto at = trouble.find("{}"); at != std::string::npos) trouble.replace(at, 2, folder);
    std::string notice;
    const auto state = open_state(folder, loop, &notice);
    CHECK(notice.starts_with(trouble + ". Nothing is durable until that is mended: the agent probes and tells, and "
                                       "recovers within a small budget that it keeps in memory"));
    CHECK(state->trouble() == trouble);
    CHECK_FALSE(commit(*state, loop, {Change::put(Table::budgets, "order", "1")}));
    CHECK(state->read(Table::budgets).empty());
    CHECK(state->trouble() == trouble);
  }
}

TEST_CASE("a state that could not be written is durable as soon as it can be") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  std::filesystem::create_directories(folder.path() + "/fettle.db");
  std::string notice;
  {
    const auto state = open_state(folder.path(), loop, &notice);
    CHECK_FALSE(commit(*state, loop, {Change::put(Table::budgets, "order", "1")}));
    std::filesystem::remove(folder.path() + "/fettle.db");
    CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "2")}));
    CHECK(state->trouble() == "");
  }
  CHECK(open_state(folder.path(), loop)->read(Table::budgets).at("order") == "2");
}

TEST_CASE("a file of a newer fettle is left as it is, and the agent starts without it") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  { (void)open_state(folder.path(), loop); }
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((folder.path() + "/fettle.db").c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, "PRAGMA user_version=99", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  std::string notice;
  const auto state = open_state(folder.path(), loop, &notice);
  CHECK(notice.find("has format 99") != std::string::npos);
  CHECK_FALSE(commit(*state, loop, {Change::put(Table::budgets, "order", "1")}));
}

TEST_CASE("a file of each format before this one is opened, and what it holds stays") {
  struct Row {
    std::string name, sql;
  };
  const std::string table =
      "CREATE TABLE records (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) "
      "WITHOUT ROWID; INSERT INTO records VALUES ('budgets', 'order', '1');";
  const std::vector<Row> rows{
      {"format 1", table + "PRAGMA user_version=1"},
      {"format 1, as a crash left it between its table and its number", table},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const fakes::TemporaryFolder folder;
    fakes::WaitingLoop loop;
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((folder.path() + "/fettle.db").c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, row.sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    {
      std::string notice;
      const auto state = open_state(folder.path(), loop, &notice);
      CHECK(notice == "");
      CHECK(state->read(Table::budgets).at("order") == "1");
      CHECK(commit(*state, loop, {Change::put(Table::incidents, "inc_1", "{}")}));
    }
    CHECK(open_state(folder.path(), loop)->read(Table::incidents).at("inc_1") == "{}");
  }
}

TEST_CASE("what was durable is written again when the file was removed, replaced or damaged under the agent") {
  struct Row {
    std::string name;
    std::function<void(const std::string& folder)> harm;
  };
  const auto remove_files = [](const std::string& folder) {
    for (const char* name : {"/fettle.db", "/fettle.db-wal", "/fettle.db-shm"}) std::filesystem::remove(folder + name);
  };
  const Row rows[] = {
      {"the folder was removed", [](const std::string& folder) { std::filesystem::remove_all(folder); }},
      {"the file was removed", remove_files},
      {"an empty file lies there",
       [&](const std::string& folder) {
         remove_files(folder);
         REQUIRE(base::write_file_atomically(folder + "/fettle.db", "").has_value());
       }},
      {"a file that is no database lies there",
       [&](const std::string& folder) {
         remove_files(folder);
         REQUIRE(base::write_file_atomically(folder + "/fettle.db", std::string(5000, 'x')).has_value());
       }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const fakes::TemporaryFolder parent;
    const std::string folder = parent.path() + "/state";
    fakes::WaitingLoop loop;
    {
      const auto state = open_state(folder, loop);
      CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "1"), Change::put(Table::silences, "s", "x")}));
      CHECK(commit(*state, loop, {Change::remove(Table::silences, "s")}));
      row.harm(folder);
      CHECK(commit(*state, loop, {Change::put(Table::audit, "1", "y")}));
    }
    const auto state = open_state(folder, loop);
    using Map = std::map<std::string, std::string>;
    CHECK(state->read(Table::budgets) == Map{{"order", "1"}});
    CHECK(state->read(Table::silences).empty());
    CHECK(state->read(Table::audit) == Map{{"1", "y"}});
  }
}

TEST_CASE("a folder that was removed is locked again with the next call") {
  const fakes::TemporaryFolder parent;
  const std::string folder = parent.path() + "/state";
  fakes::WaitingLoop loop;
  const auto first = open_state(folder, loop);
  for (const char* gone : {"", "/fettle.lock"}) {
    CAPTURE(gone);
    std::filesystem::remove_all(folder + gone);
    CHECK(commit(*first, loop, {Change::put(Table::audit, "1", "y")}));
    std::string notice;
    const auto second = state::open(folder, loop, notice);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().kind == base::Kind::unavailable);
  }
}

TEST_CASE("nothing is written into a folder that another agent has taken meanwhile") {
  const fakes::TemporaryFolder parent;
  const std::string folder = parent.path() + "/state";
  fakes::WaitingLoop loop;
  auto first = open_state(folder, loop);
  CHECK(commit(*first, loop, {Change::put(Table::budgets, "order", "1")}));
  std::unique_ptr<state::State> second;
  for (int tries = 0; !second && tries < 5; ++tries) {  // the first one may look, and take it again
    std::filesystem::remove_all(folder);
    std::string notice;
    if (auto opened = state::open(folder, loop, notice)) second = std::move(*opened);
  }
  REQUIRE(second);
  CHECK_FALSE(commit(*first, loop, {Change::put(Table::budgets, "order", "2")}));
  CHECK(first->trouble().starts_with("another agent (process "));
  CHECK(first->read(Table::budgets).at("order") == "1");
  CHECK(commit(*second, loop, {Change::put(Table::budgets, "payment", "3")}));
  first.reset();
  second.reset();
  const auto third = open_state(folder, loop);
  CHECK(third->read(Table::budgets) == std::map<std::string, std::string>{{"payment", "3"}});
}

TEST_CASE("a folder that was removed is made again, or said to be lost, without any call") {
  const fakes::TemporaryFolder parent;
  const std::string folder = parent.path() + "/state";
  fakes::WaitingLoop loop;
  {
    const auto state = open_state(folder, loop);
    CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "1")}));
    std::filesystem::remove_all(folder);
    REQUIRE(base::write_file_atomically(folder, "in the way").has_value());
    REQUIRE(loop.run_one());
    CHECK(state->trouble() != "");
    std::filesystem::remove(folder);
    REQUIRE(loop.run_one());
    CHECK(state->trouble() == "");
  }
  CHECK(open_state(folder, loop)->read(Table::budgets) == std::map<std::string, std::string>{{"order", "1"}});
}

TEST_CASE("an empty file is said to have been emptied") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  REQUIRE(base::write_file_atomically(folder.path() + "/fettle.db", "").has_value());
  std::string notice;
  (void)open_state(folder.path(), loop, &notice);
  CHECK(notice == folder.path() +
                      "/fettle.db was empty. Alert states, budgets, silences and waiting notifications are "
                      "lost, if there were any");
}

TEST_CASE("on a full disk only the calls that do not fit fail, and nothing of them is kept") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  const auto state = open_state(folder.path(), loop);
  CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "1")}));
  {
    const FullDisk full(300'000);
    std::vector<std::string> results;
    const auto note = [&](const base::Result<>& r) { results.push_back(r ? "durable" : r.error().text); };
    state->commit({Change::put(Table::budgets, "small", "1")}, note);
    state->commit(
        {Change::put(Table::budgets, "order", "2"), Change::put(Table::audit, "big", std::string(1'000'000, 'x'))},
        note);
    state->commit({Change::put(Table::budgets, "small", "2")}, note);
    CHECK(state->read(Table::budgets).at("order") == "2");
    while (results.size() < 3) REQUIRE(loop.run_one());
    CHECK(results[0] == "durable");
    CHECK(results[1] == "cannot write to " + folder.path() + "/fettle.db: disk I/O error (SQLite code 778)");
    CHECK(results[2] == "durable");
    CHECK(state->read(Table::budgets).at("order") == "1");
    CHECK(state->read(Table::budgets).at("small") == "2");
    CHECK(state->read(Table::audit).empty());
  }
  CHECK(commit(*state, loop, {Change::put(Table::audit, "big", std::string(1'000'000, 'x'))}));
  CHECK(state->read(Table::audit).at("big").size() == 1'000'000);
}

TEST_CASE("the file is not for everybody's eyes") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  const auto state = open_state(folder.path(), loop);
  CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "1")}));
  for (const char* name : {"/fettle.db", "/fettle.db-wal"}) {
    struct ::stat info {};
    REQUIRE(::stat((folder.path() + name).c_str(), &info) == 0);
    CHECK((info.st_mode & 07) == 0);
  }
}

TEST_CASE("state in memory keeps the same promises, without a disk") {
  fakes::WaitingLoop loop;
  auto state = state::in_memory(loop);
  int called = 0;
  state->commit({Change::put(Table::budgets, "a", "1")}, [&](const base::Result<>& r) { called += r ? 1 : 100; });
  CHECK(called == 0);
  CHECK(state->read(Table::budgets).at("a") == "1");
  loop.run_posted();
  CHECK(called == 1);
  state->commit({Change::remove(Table::budgets, "a")}, [&](const base::Result<>&) { ++called; });
  state.reset();
  loop.run_posted();
  CHECK(called == 1);
}
