// A file that is damaged: it is moved aside, stays loud until a person takes it away, and a new one begins.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "fakes/temporary_folder.h"
#include "opened_state.h"

namespace {

using state::Change;
using state::Table;

void damage(const std::string& folder) {
  REQUIRE(base::write_file_atomically(folder + "/fettle.db", std::string(5000, 'x')).has_value());
}

}  // namespace

TEST_CASE("a damaged file is set aside and said so, and the agent starts") {
  struct Row {
    std::string name;
    std::string content;  // "": one page in the middle of a good file is overwritten
    std::string why;
  };
  for (const Row& row : {Row{"no database", std::string(5000, 'x'), "cannot use {}: file is not a database"},
                         Row{"a broken page", "", "{} is damaged: *** in database main ***"}}) {
    CAPTURE(row.name);
    const fakes::TemporaryFolder folder;
    fakes::WaitingLoop loop;
    const std::string path = folder.path() + "/fettle.db";
    {
      const auto state = open_state(folder.path(), loop);
      for (int i = 0; i < 50; ++i)
        CHECK(commit(*state, loop, {Change::put(Table::audit, std::to_string(i), std::string(1000, 'a'))}));
    }
    std::string content = base::read_file(path).value();
    REQUIRE(content.size() > 5 * 4096);
    if (row.content.empty()) content.replace(2 * 4096, 4096, 4096, '\xa5');
    else content = row.content;
    REQUIRE(base::write_file_atomically(path, content).has_value());
    std::string notice;
    {
      const auto state = open_state(folder.path(), loop, &notice);
      CHECK(state->read(Table::audit).empty());
      CHECK(commit(*state, loop, {Change::put(Table::audit, "new", "x")}));
    }
    std::string why = row.why;
    why.replace(why.find("{}"), 2, path);
    CHECK(notice.starts_with(why));
    CHECK(
        notice.ends_with("; it was moved to " + path +
                         ".damaged-20261123T062945Z. Alert states, budgets, silences and waiting notifications are "
                         "lost: the agent starts without them, and with one attempt to recover each service until the "
                         "time of its budget is over"));
    CHECK(base::read_file(path + ".damaged-20261123T062945Z").value() == content);
    CHECK(open_state(folder.path(), loop)->read(Table::audit).size() == 1);
  }
}

TEST_CASE("damaged files count until a person takes them away, also after another start") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  std::string notice;
  {
    const auto state = open_state(folder.path(), loop);
    CHECK(state->damage().files == 0);
    CHECK_FALSE(state->damage().forgotten);
  }
  damage(folder.path());
  {
    const auto state = open_state(folder.path(), loop, &notice);
    CHECK(state->damage().files == 1);
    CHECK(state->damage().forgotten);
  }
  const auto state = open_state(folder.path(), loop);
  CHECK(state->damage().files == 1);
  CHECK_FALSE(state->damage().forgotten);  // at that start all of it was known
  std::filesystem::remove(folder.path() + "/fettle.db.damaged-20261123T062945Z");
  for (int i = 0; state->damage().files != 0; ++i) REQUIRE((i < 5 && loop.run_one()));
}

TEST_CASE("five damaged files are kept, with what belongs to them, and the oldest go") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  for (int i = 1; i <= 7; ++i)
    for (const char* suffix : {"", "-wal"}) {
      const std::string name = folder.path() + "/fettle.db.damaged-2026110" + std::to_string(i) + "T000000Z" + suffix;
      REQUIRE(base::write_file_atomically(name, "x").has_value());
    }
  damage(folder.path());
  std::string notice;
  const auto state = open_state(folder.path(), loop, &notice);
  CHECK(state->damage().files == 5);
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (const std::string name = entry.path().filename(); name.find("damaged") != std::string::npos)
      left.push_back(name);
  std::sort(left.begin(), left.end());
  CHECK(left == std::vector<std::string>{"fettle.db.damaged-20261104T000000Z", "fettle.db.damaged-20261104T000000Z-wal",
                                         "fettle.db.damaged-20261105T000000Z", "fettle.db.damaged-20261105T000000Z-wal",
                                         "fettle.db.damaged-20261106T000000Z", "fettle.db.damaged-20261106T000000Z-wal",
                                         "fettle.db.damaged-20261107T000000Z", "fettle.db.damaged-20261107T000000Z-wal",
                                         "fettle.db.damaged-20261123T062945Z"});
}

TEST_CASE("what was durable is not known after an empty file, and is after a file that can be read only") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  REQUIRE(base::write_file_atomically(folder.path() + "/fettle.db", "").has_value());
  std::string notice;
  CHECK(open_state(folder.path(), loop, &notice)->damage().forgotten);
  CHECK_FALSE(open_state(folder.path(), loop)->damage().forgotten);
}

TEST_CASE("an agent that is killed while it makes its first file leaves none, or a whole one") {
  const fakes::TemporaryFolder folder;
  fakes::WaitingLoop loop;
  // As a crash leaves it: the file has not got its name yet.
  REQUIRE(base::write_file_atomically(folder.path() + "/fettle.db.new", "").has_value());
  const auto state = open_state(folder.path(), loop);
  CHECK_FALSE(state->damage().forgotten);
  CHECK(commit(*state, loop, {Change::put(Table::budgets, "order", "1")}));
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/fettle.db.new"));
}
