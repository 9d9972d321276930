// What others do to fettle.db, its -wal and its -shm under the running agent: what was durable is there after a crash
// and after a clean end, and who does no harm is not taken for somebody who does.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "fakes/temporary_folder.h"
#include "state/database_file.h"

namespace {

namespace fs = std::filesystem;
using state::Change;
using state::Table;
using Records = std::map<std::pair<Table, std::string>, std::string>;

state::DatabaseFile opened(const std::string& folder, Records& records, std::string& notice) {
  state::FolderLock lock(folder);
  REQUIRE(lock.hold().has_value());
  state::DatabaseFile file(folder + "/fettle.db", std::move(lock));
  notice = file.open(
      [&](Table table, std::string key, std::string value) {
        records[{table, std::move(key)}] = std::move(value);
      },
      {});
  return file;
}

state::DatabaseFile opened(const std::string& folder) {
  Records records;
  std::string notice;
  state::DatabaseFile file = opened(folder, records, notice);
  REQUIRE(notice == "");
  return file;
}

void apply(state::DatabaseFile& file, const std::vector<Change>& changes) {
  const std::vector<Change>* const call = &changes;
  const base::Result<> result = file.apply({&call, 1});
  REQUIRE_MESSAGE(result.has_value(), result.error().text);
}

// What the next start finds if the agent is killed now.
Records after_a_crash(const std::string& folder) {
  const fakes::TemporaryFolder copy;
  for (const char* name : {"/fettle.db", "/fettle.db-wal"})
    if (fs::exists(folder + name)) fs::copy_file(folder + name, copy.path() + name);
  Records records;
  std::string notice;
  (void)opened(copy.path(), records, notice);
  CHECK(notice == "");
  return records;
}

// A person with sqlite3.
void run(const std::string& folder, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((folder + "/fettle.db").c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

// As sqlite3's .restore does it.
void restore(const std::string& from, const std::string& to) {
  sqlite3 *source = nullptr, *target = nullptr;
  REQUIRE(sqlite3_open((from + "/fettle.db").c_str(), &source) == SQLITE_OK);
  REQUIRE(sqlite3_open((to + "/fettle.db").c_str(), &target) == SQLITE_OK);
  sqlite3_backup* const backup = sqlite3_backup_init(target, "main", source, "main");
  REQUIRE(backup != nullptr);
  CHECK(sqlite3_backup_step(backup, -1) == SQLITE_DONE);
  CHECK(sqlite3_backup_finish(backup) == SQLITE_OK);
  sqlite3_close(target);
  sqlite3_close(source);
}

// As dd conv=notrunc does it: the same file, as long as before.
void overwrite(const std::string& path) {
  const std::string zeros(fs::file_size(path), '\0');
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(::pwrite(file.value(), zeros.data(), zeros.size(), 0) == static_cast<ssize_t>(zeros.size()));
}

ino_t inode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

// A file with records that are all in fettle.db, then with changes that are in the log only.
state::DatabaseFile used_file(const std::string& folder) {
  {
    state::DatabaseFile file = opened(folder);
    apply(file, {Change::put(Table::silences, "gone", "x"), Change::put(Table::budgets, "order", "1")});
    for (int i = 0; i < 20; ++i) apply(file, {Change::put(Table::audit, std::to_string(i), std::string(1000, 'a'))});
  }
  state::DatabaseFile file = opened(folder);
  apply(file, {Change::remove(Table::silences, "gone"), Change::put(Table::budgets, "order", "2")});
  apply(file, {Change::put(Table::silences, "new", "y")});
  return file;
}

void check(const Records& records, const char* last) {
  CHECK(records.size() == 22 + (*last ? 1 : 0));
  CHECK_FALSE(records.contains({Table::silences, "gone"}));
  CHECK(records.contains({Table::silences, "new"}));
  CHECK(records.contains({Table::budgets, "order"}));
  if (records.contains({Table::budgets, "order"})) CHECK(records.at({Table::budgets, "order"}) == "2");
  if (*last) CHECK(records.contains({Table::silences, last}));
}

struct Harm {
  std::string name;
  std::function<void(const std::string& folder)> harm;
};

const std::vector<Harm>& harms() {
  static const std::vector<Harm> all{
      {"the -wal was removed", [](const std::string& folder) { fs::remove(folder + "/fettle.db-wal"); }},
      {"-wal and -shm were removed",
       [](const std::string& folder) {
         fs::remove(folder + "/fettle.db-wal");
         fs::remove(folder + "/fettle.db-shm");
       }},
      {"another -wal is in the place of the first",
       [](const std::string& folder) {
         REQUIRE(base::write_file_atomically(folder + "/fettle.db-wal", std::string(100'000, 'x')).has_value());
       }},
      {"the -wal was emptied", [](const std::string& folder) { fs::resize_file(folder + "/fettle.db-wal", 0); }},
      {"the -wal lost its end",
       [](const std::string& folder) {
         fs::resize_file(folder + "/fettle.db-wal", fs::file_size(folder + "/fettle.db-wal") - 100);
       }},
      {"the file was emptied", [](const std::string& folder) { fs::resize_file(folder + "/fettle.db", 0); }},
      {"the file was cut", [](const std::string& folder) { fs::resize_file(folder + "/fettle.db", 2 * 4096); }},
      {"the -shm was emptied", [](const std::string& folder) { fs::resize_file(folder + "/fettle.db-shm", 0); }},
      {"the -shm was removed", [](const std::string& folder) { fs::remove(folder + "/fettle.db-shm"); }},
      {"all three were emptied",
       [](const std::string& folder) {
         for (const char* name : {"/fettle.db", "/fettle.db-wal", "/fettle.db-shm"}) fs::resize_file(folder + name, 0);
       }},
      {"zeros are in the place of all that was in the -wal",
       [](const std::string& folder) { overwrite(folder + "/fettle.db-wal"); }},
      {"zeros are in the place of all that was in the file",
       [](const std::string& folder) { overwrite(folder + "/fettle.db"); }},
      {"zeros are in the place of all that was in the -shm",
       [](const std::string& folder) { overwrite(folder + "/fettle.db-shm"); }},
      {"a backup of before was restored into the open file",
       [](const std::string& folder) {
         const fakes::TemporaryFolder other;
         {
           state::DatabaseFile backup = opened(other.path());
           apply(backup, {Change::put(Table::silences, "gone", "x"), Change::put(Table::budgets, "order", "1")});
         }
         restore(other.path(), folder);
       }},
      {"records were changed by a person with sqlite3",
       [](const std::string& folder) {
         run(folder, "UPDATE records SET value = '7' WHERE kind = 'budgets'; DELETE FROM records WHERE key = 'new'");
       }},
      {"the table was dropped by a person with sqlite3",
       [](const std::string& folder) { run(folder, "DROP TABLE records"); }},
      {"both were emptied",
       [](const std::string& folder) {
         fs::resize_file(folder + "/fettle.db", 0);
         fs::resize_file(folder + "/fettle.db-wal", 0);
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("what was durable is durable again after the next look, whatever was done to the file or its log") {
  for (const Harm& each : harms()) {
    CAPTURE(each.name);
    const fakes::TemporaryFolder folder;
    state::DatabaseFile file = used_file(folder.path());
    each.harm(folder.path());
    file.look();
    CHECK(file.trouble() == "");
    check(after_a_crash(folder.path()), "");
    const ino_t database = inode_of(folder.path() + "/fettle.db"), log = inode_of(folder.path() + "/fettle.db-wal");
    file.look();
    CHECK(inode_of(folder.path() + "/fettle.db") == database);  // once is enough
    CHECK(inode_of(folder.path() + "/fettle.db-wal") == log);
  }
}

TEST_CASE("a call that comes before the look finds it, too") {
  for (const Harm& each : harms()) {
    CAPTURE(each.name);
    const fakes::TemporaryFolder folder;
    {
      state::DatabaseFile file = used_file(folder.path());
      each.harm(folder.path());
      apply(file, {Change::put(Table::silences, "after", "z")});
      check(after_a_crash(folder.path()), "after");
    }
    Records records;
    std::string notice;
    (void)opened(folder.path(), records, notice);
    CHECK(notice == "");
    check(records, "after");
  }
}

TEST_CASE("what SQLite does to its files, and a person with sqlite3, is no harm") {
  const fakes::TemporaryFolder folder;
  state::DatabaseFile file = used_file(folder.path());
  const ino_t database = inode_of(folder.path() + "/fettle.db"), log = inode_of(folder.path() + "/fettle.db-wal");
  const auto untouched = [&] {
    file.look();
    return inode_of(folder.path() + "/fettle.db") == database && inode_of(folder.path() + "/fettle.db-wal") == log;
  };
  CHECK(untouched());
  // The log is merged into the file again and again.
  for (int i = 0; i < 600; ++i) {
    apply(file, {Change::put(Table::evidence, std::to_string(i % 40), std::string(5000, 'b'))});
    if (i % 50 == 0) CHECK(untouched());
  }
  for (int i = 0; i < 40; ++i) apply(file, {Change::remove(Table::evidence, std::to_string(i))});
  CHECK(untouched());
  run(folder.path(), "SELECT count(*) FROM records");
  CHECK(untouched());
  // These write into the files or make them shorter: they are opened again, and nothing is written.
  for (const char* sql : {"PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)",
                          "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"}) {
    CAPTURE(sql);
    run(folder.path(), sql);
    file.look();
    CHECK(file.trouble() == "");
    CHECK(inode_of(folder.path() + "/fettle.db") == database);
    CHECK(fs::file_size(folder.path() + "/fettle.db-wal") == 0);
    check(after_a_crash(folder.path()), "");
  }
}

TEST_CASE("records of a file that somebody put there stay; those that ours got back are removed again") {
  const fakes::TemporaryFolder folder, other;
  {
    state::DatabaseFile file = opened(other.path());
    apply(file, {Change::put(Table::maintenance, "theirs", "1")});
  }
  state::DatabaseFile file = used_file(folder.path());
  fs::rename(other.path() + "/fettle.db", folder.path() + "/fettle.db");
  file.look();
  CHECK(after_a_crash(folder.path()).contains({Table::maintenance, "theirs"}));
  CHECK(after_a_crash(folder.path()).contains({Table::silences, "new"}));
}
