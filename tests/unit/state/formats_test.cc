// Files that agents of released versions wrote, kept in tests/golden/state: each is opened, is brought to this format,
// and all of its records are there. A version that changes the format adds a file.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <string>

#include "fakes/source_file.h"
#include "fakes/temporary_folder.h"
#include "fakes/waiting_loop.h"
#include "state/state.h"

namespace {

using state::Table;

std::string column(void* out, const char* sql) {
  std::string text;
  REQUIRE(sqlite3_exec(
              static_cast<sqlite3*>(out), sql,
              [](void* to, int, char** columns, char**) {
                *static_cast<std::string*>(to) += std::string(columns[0]) + "\n";
                return 0;
              },
              &text, nullptr) == SQLITE_OK);
  return text;
}

std::string asked(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
  const std::string text = column(db, sql);
  sqlite3_close(db);
  return text;
}

}  // namespace

TEST_CASE("the file of format 2 is opened and everything in it is there") {
  const fakes::TemporaryFolder folder;
  const std::string path = folder.path() + "/fettle.db";
  std::filesystem::copy_file(fakes::source_file("tests/golden/state/format-2.db"), path);
  fakes::WaitingLoop loop;
  std::string notice;
  {
    const auto opened = state::open(folder.path(), loop, notice);
    REQUIRE(opened.has_value());
    CHECK(notice == "");
    const state::State& state = **opened;
    CHECK_FALSE(state.damage().forgotten);
    const std::map<Table, std::size_t> expected{
        {Table::alerts, 4},      {Table::budgets, 3},  {Table::intents, 1},       {Table::recoveries, 3},
        {Table::maintenance, 1}, {Table::silences, 1}, {Table::notifications, 7}, {Table::incidents, 3},
        {Table::traffic, 0},     {Table::fleet, 0},    {Table::audit, 0},         {Table::availability, 0}};
    for (const auto& entry : expected) CHECK(state.read(entry.first).size() == entry.second);
    CHECK(state.read(Table::maintenance).at("stock") == R"({"comment":"new disks","until_ms":4102444800000})");
    CHECK(state.read(Table::budgets).at("payment") ==
          R"({"attempts_ms":[1795979248648],"exhausted":false,"failures":0})");
  }
  CHECK(asked(path, "PRAGMA user_version") == "3\n");
  CHECK(asked(path, "SELECT format FROM migrations") == "3\n");
  CHECK(asked(path, "PRAGMA integrity_check") == "ok\n");
  // The version before finds what it had.
  CHECK(asked(path + ".format-2", "PRAGMA user_version") == "2\n");
  CHECK(asked(path + ".format-2", "SELECT count(*) FROM records") == "23\n");
}
