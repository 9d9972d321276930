// When restore drills begin, what their tools are told, and what their answers are taken for.
#include "recover/drill/drills.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "fakes/fake_state.h"
#include "fakes/probe_world.h"
#include "fakes/temporary_folder.h"
#include "recover/drill/drill_run.h"

namespace {

using namespace std::chrono_literals;
using recover::DrillResult;

std::vector<recover::Drill> parse(const std::string& text, config::Errors& errors) {
  return recover::parse_drills(
      config::Node::parse(text, "fettle.yml", errors).find("drills"),
      [](const std::string& name) { return name == "order"; }, errors);
}

bool is(const os::Command& command, const std::string& word) {
  return std::find(command.argv.begin(), command.argv.end(), word) != command.argv.end() ||
         std::filesystem::path(command.argv.front()).filename() == word;
}

os::Finished ended(int code, std::string out = "", std::string err = "") {
  os::Finished finished;
  finished.exit_code = code;
  finished.out = std::move(out);
  finished.err = std::move(err);
  return finished;
}

// A drill of restic, with a state that outlives its agent.
struct Site {
  fakes::TemporaryFolder folder;
  fakes::FakeLoop loop;
  fakes::FakeSpawner spawner{loop};
  fakes::FakeBlockingPool pool{loop};
  fakes::FakeState state{loop};
  std::string busy, more, verify;
  std::vector<std::string> reports;
  std::unique_ptr<recover::Drills> drills;

  std::string scratch() const { return folder / "scratch"; }
  void start() {
    drills = std::make_unique<recover::Drills>(
        recover::DrillContext{loop, spawner, pool}, state,
        recover::DrillCallbacks{[this] { return busy; },
                                [this](const auto&, const recover::DrillReport& report) {
                                  reports.push_back(std::string(to_string(report.result)) + ": " + report.text);
                                },
                                [] {}});
    config::Errors errors;
    drills->replace(parse("drills:\n  db:\n    service: order\n    scratch: " + scratch() + "\n    every: 1d\n" + more +
                              "    restic: {program: /bin/true, repository: /srv/r, password_file: /etc/p}\n" + verify,
                          errors));
    REQUIRE(errors.text() == "");
    loop.run_due();
  }
  void restart() {
    drills.reset();
    loop.run_due();
    start();
  }
  void answer(const std::string& word, os::Finished finished) {
    REQUIRE(spawner.desk.asked_where([&](const os::Command& command) { return is(command, word); }) == 1);
    spawner.desk.answer_where([&](const os::Command& command) { return is(command, word); }, std::move(finished));
    loop.run_due();
  }
  void list(const std::string& snapshots = R"([{"short_id":"4f3c","time":"2023-11-14T20:13:20Z"}])") {
    answer("snapshots", ended(0, snapshots));
  }
  void restored(const std::string& name = "orders", const std::string& content = "1\n") {
    std::ofstream(scratch() + "/data/" + name) << content;
  }
  recover::DrillStatus status() const { return drills->statuses().front(); }
  DrillResult result() const { return status().record.last.result; }
};

}  // namespace

TEST_CASE("a drill runs in the background, in its own folder, trusts no cache, and leaves nothing") {
  Site site;
  site.start();
  REQUIRE(site.spawner.desk.waiting() == 1);
  const os::Command& asks = site.spawner.desk.last();
  CHECK(is(asks, "--no-cache"));
  CHECK(is(asks, "--no-lock"));
  CHECK(asks.priority == os::Priority::background);
  CHECK(asks.environment.at("RESTIC_PASSWORD_FILE") == "/etc/p");
  CHECK(site.status().doing == "asking for the newest backup");
  site.list();
  const os::Command& restores = site.spawner.desk.last();
  CHECK(restores.argv == std::vector<std::string>{"/bin/true", "restore", "4f3c", "--target", site.scratch() + "/data",
                                                  "--verify", "--no-lock", "--no-cache"});
  CHECK(restores.directory == site.scratch() + "/data");
  CHECK(restores.limits.file_bytes == 10'737'418'240);
  site.restored();
  site.loop.advance(1500ms);
  site.answer("restore", ended(0));
  CHECK(site.reports ==
        std::vector<std::string>{"verified: 1 files with 2 bytes came back in 1s500ms; the newest data was 2h old"});
  CHECK_FALSE(std::filesystem::exists(site.scratch()));
  CHECK(site.status().doing.empty());
  // Again after a day, and what was proven is known to the next agent.
  site.loop.advance(23h);
  CHECK(site.spawner.desk.waiting() == 0);
  site.restart();
  REQUIRE(site.status().record.proven);
  CHECK(site.status().record.proven->restore == 1500ms);
  CHECK(site.status().record.proven->data_age == 2h);
  site.loop.advance(1h);
  CHECK(site.spawner.desk.waiting() == 1);
}

TEST_CASE("each way in which a restore proves nothing has its name") {
  struct Row {
    std::string what;
    std::function<void(Site&)> happens;
    const char* report;
  };
  const Row rows[] = {
      {"wrong password",
       [](Site& s) { s.answer("snapshots", ended(1, "", "Fatal: wrong password or no key found\n")); },
       "unreadable: restic  ended"},
      {"no snapshot", [](Site& s) { s.list("[]"); }, "no_backup: there is no backup in restic /srv/r"},
      {"no JSON", [](Site& s) { s.list("<html>"); }, "unreadable: no list of snapshots came from restic for /srv/r"},
      {"damage",
       [](Site& s) {
         s.list();
         s.restored();
         s.answer("restore", ended(1, "", "ignoring error for /orders\nFatal: There were 1 errors\n"));
       },
       "restore_failed: "},
      {"full disk",
       [](Site& s) {
         s.list();
         s.answer("restore", ended(1, "", "error: write /x: no space left on device\n"));
       },
       "scratch_full: "},
      {"nothing came back",
       [](Site& s) {
         s.list();
         s.answer("restore", ended(0));
       },
       "empty: restic /srv/r restored no file"},
      {"too long, as its program sees it",
       [](Site& s) {
         s.loop.advance(1h - 500us);
         os::Finished late = ended(-1);
         late.timed_out = true;
         s.answer("snapshots", std::move(late));
       },
       "timeout: it took longer than 1h, while asking for the newest backup"},
      {"too long", [](Site& s) { s.loop.advance(1h); },
       "timeout: it took longer than 1h, while asking for the newest backup"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Site site;
    site.start();
    row.happens(site);
    REQUIRE(site.reports.size() == 1);
    const std::string begins(row.report);
    if (begins.find("  ended") == std::string::npos) CHECK(site.reports[0].starts_with(begins));
    else CHECK(site.reports[0].find("wrong password or no key found") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(site.scratch()));
    CHECK(site.spawner.desk.waiting() == 0);
    CHECK(site.status().record.succeeded == false);
    CHECK_FALSE(site.status().record.proven);
    // Tried again after a day.
    for (int halves = 0; halves < 49 && site.spawner.desk.waiting() == 0; ++halves) site.loop.advance(30min);
    CHECK(site.spawner.desk.waiting() == 1);
  }
}

TEST_CASE("what the agent lacks is no fault of a backup") {
  for (const bool began : {false, true}) {
    CAPTURE(began);
    Site site;
    site.start();
    if (began) {
      // The tool was started, and fails by what the agent and its children lack.
      rlimit before{};
      REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
      const rlimit none{0, before.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &none);
      site.answer("snapshots", ended(1, "", "Fatal: open /srv/r/config: too many open files\n"));
      ::setrlimit(RLIMIT_NOFILE, &before);
      site.loop.advance(5s);
    } else {
      site.spawner.desk.answer_where([](const os::Command&) { return true; },
                                     base::fail(base::Kind::limit, "cannot make a pipe: Too many open files"));
      site.loop.run_due();
    }
    REQUIRE(site.reports.size() == 1);
    CHECK(site.reports[0].starts_with("interrupted: "));
    CHECK(site.reports[0].find("oo many open files") != std::string::npos);
    CHECK_FALSE(site.status().record.succeeded);
    site.loop.advance(11min);
    CHECK(site.spawner.desk.waiting() == 1);
  }
}

TEST_CASE("a folder that grows beyond its bound ends the run") {
  Site site;
  site.more = "    max_bytes: 20000\n";
  site.start();
  site.list();
  site.restored("orders", std::string(50'000, 'x'));
  site.loop.advance(3s);
  REQUIRE(site.reports.size() == 1);
  CHECK(site.reports[0].starts_with("scratch_full: " + site.scratch() + " has grown to "));
  CHECK(site.spawner.desk.waiting() == 0);
  CHECK_FALSE(std::filesystem::exists(site.scratch()));
}

TEST_CASE("a drill waits for a recovery, gives way to one, and is tried again") {
  Site site;
  site.busy = "the recovery of order is under way";
  site.start();
  site.loop.advance(1h);
  CHECK(site.spawner.desk.asked().empty());
  CHECK(site.drills->run("db").error().text == site.busy);
  site.busy.clear();
  site.loop.advance(10s);
  site.list();
  site.restored();
  CHECK(site.drills->run("db").error().text == "the drill db is under way; one runs at a time");
  CHECK(site.drills->run("none").error().kind == base::Kind::not_found);
  site.drills->interrupt("the recovery of order began");
  site.loop.run_due();
  CHECK(site.reports == std::vector<std::string>{"interrupted: the recovery of order began"});
  CHECK_FALSE(std::filesystem::exists(site.scratch()));
  CHECK_FALSE(site.status().record.succeeded);
  site.loop.advance(9min);
  CHECK(site.spawner.desk.waiting() == 0);
  site.loop.advance(1min);
  CHECK(site.spawner.desk.waiting() == 1);
}

TEST_CASE("what an agent that died has left is removed by the next, which knows of the run") {
  Site site;
  site.start();
  site.list();
  site.restored();
  // As SIGKILL leaves it: no destructor runs.
  auto* const dead = site.drills.release();
  site.start();
  CHECK_FALSE(std::filesystem::exists(site.scratch()));
  CHECK(site.result() == DrillResult::interrupted);
  CHECK(site.status().record.last.text == "the agent ended in the middle of it");
  site.loop.advance(9min);
  CHECK(site.status().doing.empty());
  delete dead;

  SUBCASE("one that is stopped removes it itself") {
    site.loop.advance(2min);
    REQUIRE_FALSE(site.status().doing.empty());
    CHECK(std::filesystem::exists(site.scratch()));
    site.drills.reset();
    CHECK_FALSE(std::filesystem::exists(site.scratch()));
  }
}

TEST_CASE("a folder with files of others is not touched, and one that was there stays") {
  Site site;
  std::filesystem::create_directory(site.scratch());
  site.start();
  site.list("[]");
  CHECK(std::filesystem::is_empty(site.scratch()));
  std::ofstream(site.scratch() + "/keep") << "mine";
  CHECK(site.drills->run("db").has_value());
  site.loop.run_due();
  REQUIRE(site.reports.size() == 2);
  CHECK(site.reports[1].starts_with("scratch: " + site.scratch() + " is not empty"));
  CHECK(std::filesystem::exists(site.scratch() + "/keep"));
  std::filesystem::remove(site.scratch() + "/keep");
  std::filesystem::permissions(site.scratch(), std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  CHECK(site.drills->run("db").has_value());
  site.loop.run_due();
  CHECK(site.reports.at(2).find("may be written by its group or by others") != std::string::npos);
}

TEST_CASE("a manifest has restored files checked, and no others") {
  struct Row {
    std::string manifest;
    const char* report;  // "": sha256sum is asked
  };
  const std::string sum(64, 'a');
  for (const Row& row : {Row{sum + "  orders\n", ""}, Row{sum + " *orders\n", ""},
                         Row{sum + "  /etc/passwd\n", "has a line that is none"},
                         Row{sum + "  ../../orders\n", "has a line that is none"},
                         Row{"hello\n", "has a line that is none"}, Row{"\n", "names no file"}}) {
    CAPTURE(row.manifest);
    Site site;
    site.verify = "    verify: {manifest: SUMS}\n";
    site.start();
    site.list();
    site.restored();
    site.restored("SUMS", row.manifest);
    site.answer("restore", ended(0));
    if (*row.report != '\0') {
      REQUIRE(site.reports.size() == 1);
      CHECK(site.reports[0].starts_with("not_verified: "));
      CHECK(site.reports[0].find(row.report) != std::string::npos);
      continue;
    }
    CHECK(site.spawner.desk.last().directory == site.scratch() + "/data");
    site.answer("sha256sum", ended(1, "orders: FAILED\n", "sha256sum: WARNING: 1 computed checksum did NOT match\n"));
    CHECK(site.reports ==
          std::vector<std::string>{"not_verified: a file is not what the manifest says: orders: FAILED"});
  }
  Site missing;
  missing.verify = "    verify: {manifest: SUMS}\n";
  missing.start();
  missing.list();
  missing.restored();
  missing.answer("restore", ended(0));
  CHECK(missing.reports == std::vector<std::string>{"not_verified: the manifest SUMS was not restored"});
}

TEST_CASE("a throw-away server listens nowhere else, archives nothing, and does not write through links") {
  Site site;
  site.verify =
      "    verify: {postgres: {data: pg, bin_dir: /usr/bin, queries: [SELECT 1], live: host=/x, newest: SELECT "
      "now()}}\n";
  site.start();
  site.list();
  std::filesystem::create_directory(site.scratch() + "/data/pg");
  site.restored("pg/PG_VERSION", "15\n");
  site.restored("pg/postmaster.pid", "1\n");

  SUBCASE("it is asked, compared, stopped and removed") {
    site.answer("restore", ended(0));
    CHECK_FALSE(std::filesystem::exists(site.scratch() + "/data/pg/postmaster.pid"));
    const auto server = [](const os::Command& command) { return is(command, "postgres"); };
    REQUIRE(site.spawner.desk.asked_where(server) == 1);
    for (const os::Command& command : site.spawner.desk.asked())
      if (is(command, "postgres"))
        for (const char* setting : {"listen_addresses=", "archive_mode=off", "hot_standby=off"})
          CHECK(is(command, setting));
    site.answer("SELECT 1", ended(2, "", "psql: error: no such file\n"));
    site.loop.advance(1s);
    site.answer("SELECT 1", ended(0, "1\n"));
    site.answer("SELECT extract(epoch FROM (SELECT now()))", ended(0, "100\n1699999990.5\n"));
    CHECK(is(site.spawner.desk.last(), "host=/x"));
    site.answer("host=/x", ended(0, "104\n"));
    site.answer("pg_ctl", ended(0));
    site.spawner.desk.answer_where(server, ended(0));
    site.loop.run_due();
    REQUIRE(site.reports.size() == 1);
    CHECK(site.reports[0].starts_with("verified: "));
    CHECK(site.status().record.proven->data_age == 9500ms);
    CHECK_FALSE(std::filesystem::exists(site.scratch()));
  }
  SUBCASE("a link that leads out of the folder") {
    std::filesystem::create_directory(site.scratch() + "/data/pg/pg_tblspc");
    std::filesystem::create_symlink("/srv/live", site.scratch() + "/data/pg/pg_tblspc/16400");
    site.answer("restore", ended(0));
    REQUIRE(site.reports.size() == 1);
    CHECK(site.reports[0] ==
          "not_verified: data/pg/pg_tblspc/16400 is a link out of the scratch folder, and a server would write there");
  }
}

TEST_CASE("numbers of a restored server are judged beside those of the live one") {
  const std::string live = "1000", bad = "x";
  const auto complaint = [](const char* restored, const std::string* other, double tolerance) {
    return recover::row_complaint("SELECT n", restored, other, tolerance);
  };
  CHECK(complaint("1000", &live, 0) == "");
  CHECK(complaint("950", &live, 0.05) == "");
  CHECK(complaint("1050", &live, 0.05) == "");
  CHECK(complaint("949", &live, 0.05) ==
        "SELECT n gave 949 in what was restored and 1000 on the live server; the tolerance is 5%");
  CHECK(complaint("1", nullptr, 0.05) == "");
  CHECK(complaint("0", nullptr, 0.05) == "SELECT n gave 0 in what was restored");
  CHECK(complaint("", nullptr, 0.05) == "SELECT n gave no number in what was restored, but ''");
  CHECK(complaint("nan", &live, 0.05) == "SELECT n gave no number in what was restored, but 'nan'");
  CHECK(complaint("1", &bad, 0.05) == "SELECT n gave no number on the live server, but 'x'");
}

TEST_CASE("when a drill is due") {
  config::Errors errors;
  const auto drills = parse(
      "drills:\n"
      "  any: {service: order, every: 7d, scratch: /s/a, command: {argv: [/bin/true]}}\n"
      "  night: {service: order, every: 7d, scratch: /s/b, windows: [\"Sun 02:00-05:00\"], command: {argv: "
      "[/bin/true]}}\n",
      errors);
  REQUIRE(errors.text() == "");
  const base::WallTime t = *base::parse_iso8601("2026-11-22T02:30:00Z");
  recover::DrillRecord record;
  record.known_since = t;
  const auto after = [&](std::size_t i) { return base::format_duration(due_at(*drills[i], record) - t); };
  CHECK(after(0) == "0s");
  record.last.started = t;
  record.last.ended = t + 1h;
  record.last.result = DrillResult::verified;
  CHECK(after(0) == "1w");
  CHECK(after(1) == "6d12h");  // the window says when, then
  record.last.result = DrillResult::restore_failed;
  CHECK(after(1) == "1d");
  record.last.result = DrillResult::interrupted;
  CHECK(after(1) == "1h10m");
  CHECK(drills[0]->longest_without() == base::Millis{8 * 24h});
}

TEST_CASE("mistakes of drills are named, all at once") {
  config::Errors errors;
  CHECK(parse("drills:\n"
              "  a: {service: orders, scratch: /s/a, command: {argv: [/bin/true]}}\n"
              "  b: {service: order, scratch: s, every: 1m, restic: {repository: /r, password_file: /p}}\n"
              "  c: {service: order, scratch: /s/c}\n"
              "  d: {service: order, scratch: /s/d, restic: {repository: /r}}\n"
              "  e: {service: order, scratch: /s/e, windows: Sun, command: {argv: [/bin/true]}}\n"
              "  f: {service: order, scratch: /s/f, command: {argv: [/bin/true]}, verify: {manifest: ../x}}\n"
              "  g: {service: order, scratch: /s/g, command: {argv: [/bin/true]}, verify: {postgres: {}}}\n"
              "  h: {service: order, scratch: /s/h, command: {argv: [/bin/true]}}\n"
              "  i: {service: order, scratch: /s/h, command: {argv: [/bin/true]}}\n",
              errors)
            .size() == 1);
  const std::string text = errors.text();
  for (const char* part :
       {"drills.a.service: no service is named 'orders'", "drills.b.scratch: must be an absolute path of a folder",
        "drills.b.every: must be at least 1h", "drills.c: needs one of restic, pgbackrest, borg and command",
        "drills.d.restic: has no password; add password_file", "drills.e.windows: 'Sun' is no window",
        "drills.f.verify.manifest: must be a path below what was restored",
        "drills.g.verify.postgres: does not say where the data is", "drills.i.scratch: is that of the drill h, too"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part << " in " << text);
}

TEST_CASE("a record that was written is read as it was, and one of another version too") {
  recover::DrillRecord record;
  record.known_since = base::wall_from_ms(5);
  record.running = true;
  record.succeeded = false;
  record.last.result = DrillResult::scratch_full;
  record.last.text = "full";
  record.proven.emplace().data_age = 3s;
  const auto read = recover::parse_drill_record(to_json(record));
  REQUIRE(read);
  CHECK(to_json(*read) == to_json(record));
  CHECK(recover::parse_drill_record("{}")->last.result == DrillResult::none);
  CHECK_FALSE(recover::parse_drill_record("hello"));
}
