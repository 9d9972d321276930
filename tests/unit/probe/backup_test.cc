// restic, pgbackrest and borg: what they print, and whether the backups that they tell of are enough.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/time_zone.h"
#include "fakes/probe_trial.h"
#include "fakes/temporary_folder.h"
#include "probe/backup/backup_set.h"

using namespace std::chrono_literals;
using model::Reason;

namespace {

const base::WallTime kNow = *base::parse_iso8601("2026-11-29T19:00:00Z");

probe::Backup backup(const char* id, const char* ended, std::optional<double> bytes = {}, const char* error = "") {
  return {id, *base::parse_iso8601(ended), bytes, error};
}

double measured(const model::Outcome& outcome, std::string_view name) {
  for (const model::Measurement& each : outcome.measurements)
    if (each.name == name) return each.value;
  return -1;
}

os::Finished exited(int code, std::string out, std::string err = "") {
  os::Finished finished;
  finished.exit_code = code;
  finished.out = std::move(out);
  finished.err = std::move(err);
  return finished;
}

// At kNow.
struct ToolTrial : fakes::Trial {
  ToolTrial(const std::string& type, const std::string& target, const std::vector<std::string>& settings = {})
      : Trial(type, target, settings) {
    world.loop.jump_wall(kNow - world.loop.wall_now());
    spec.timeout = 60s;
  }
  // The answers of the tool, one to each question.
  void answer(const std::vector<os::Finished>& said) {
    start();
    for (const os::Finished& each : said) world.spawner.desk.answer(each);
    REQUIRE(answers == 1);
  }
};

const std::string kPgbackrest = R"([{"name": "other", "status": {"code": 3}}, {"name": "shop", "backup": [
  {"label": "20261128-010000F", "type": "full", "error": false, "timestamp": {"start": 1795827000, "stop": 1795827600},
   "info": {"size": 1000, "delta": 1000}},
  {"label": "20261128-010000F_20261129-010000I", "type": "incr", "error": true,
   "timestamp": {"start": 1795913400, "stop": 1795914000}, "info": {"size": 1010, "delta": 20}}],
  "status": {"code": 0, "lock": {"backup": {"held": false}}, "message": "ok"}}])";

}  // namespace

TEST_CASE("backups are enough if the newest is young, large enough, and not alone where more are wanted") {
  struct Row {
    const char* name;
    probe::BackupSet found;
    probe::BackupDemands demands;
    Reason reason;
    const char* text;
  };
  const probe::Backup monday = backup("mo", "2026-11-26T01:00:00Z", 100),
                      tuesday = backup("tu", "2026-11-27T01:00:00Z", 110),
                      wednesday = backup("we", "2026-11-28T01:00:00Z", 90);
  for (const Row& row : std::vector<Row>{
           {"the newest counts, wherever it stands",
            {.backups = {backup("new", "2026-11-29T01:00:00Z"), wednesday}},
            {},
            Reason::none,
            "the newest backup, new, ended 18h ago"},
           {"too old",
            {.backups = {wednesday}},
            {},
            Reason::body_mismatch,
            "the newest backup, we, ended 1d18h ago; max_age is 1d2h"},
           {"by a clock that is ahead",
            {.backups = {backup("new", "2026-11-29T19:00:07Z")}},
            {},
            Reason::none,
            "the newest backup, new, ended 0s ago"},
           {"none", {}, {}, Reason::body_mismatch, "there is no backup in /srv/shop"},
           {"only a broken one",
            {.backups = {backup("bad", "2026-11-29T01:00:00Z", {}, "wrong checksums")}},
            {},
            Reason::body_mismatch,
            "there is no backup in /srv/shop; the backup bad has an error: wrong checksums"},
           {"a broken one is none",
            {.backups = {wednesday, backup("bad", "2026-11-29T01:00:00Z", {}, "wrong checksums")}},
            {},
            Reason::body_mismatch,
            "the newest backup, we, ended 1d18h ago; max_age is 1d2h; the backup bad has an error: wrong checksums"},
           {"too few",
            {.backups = {backup("new", "2026-11-29T01:00:00Z")}},
            {.min_count = 2},
            Reason::body_mismatch,
            "there are 1 of the 2 backups that /srv/shop must have"},
           {"shrunk",
            {.backups = {monday, tuesday, wednesday, backup("new", "2026-11-29T01:00:00Z", 49)}},
            {},
            Reason::body_mismatch,
            "the newest backup, new, has 49 bytes, and the median of those before it is 100; min_size is 0.5 of that"},
           {"not shrunk much",
            {.backups = {monday, tuesday, wednesday, backup("new", "2026-11-29T01:00:00Z", 50)}},
            {},
            Reason::none,
            "the newest backup, new, ended 18h ago"},
           {"two are no measure of what is usual",
            {.backups = {monday, tuesday, backup("new", "2026-11-29T01:00:00Z", 1)}},
            {},
            Reason::none,
            "the newest backup, new, ended 18h ago"},
           {"size is not looked at",
            {.backups = {monday, tuesday, wednesday, backup("new", "2026-11-29T01:00:00Z", 1)}},
            {.min_size = 0},
            Reason::none,
            "the newest backup, new, ended 18h ago"},
           {"the repository itself",
            {.trouble = "it is gone", .backups = {backup("new", "2026-11-29T01:00:00Z")}},
            {},
            Reason::status_mismatch,
            "it is gone"},
       }) {
    CAPTURE(row.name);
    const model::Outcome outcome = probe::judge("/srv/shop", row.found, row.demands, kNow);
    CHECK(outcome.reason == row.reason);
    CHECK(outcome.up == (row.reason == Reason::none));
    CHECK(outcome.text == row.text);
  }
}

TEST_CASE("backups are measured whatever the verdict is") {
  const model::Outcome outcome = probe::judge(
      "/srv/shop",
      {.backups = {backup("a", "2026-11-25T00:00:00Z", 100), backup("b", "2026-11-26T00:00:00Z", 300),
                   backup("c", "2026-11-27T00:00:00Z", 200), backup("d", "2026-11-28T00:00:00Z", 400),
                   backup("e", "2026-11-28T01:00:00Z", 250), backup("f", "2026-11-29T00:00:00Z", {}, "no")},
       .locks = 1},
      {}, kNow);
  CHECK_FALSE(outcome.up);
  CHECK(measured(outcome, "probe_backup_count") == 5);
  CHECK(measured(outcome, "probe_backup_broken") == 1);
  CHECK(measured(outcome, "probe_backup_locks") == 1);
  CHECK(measured(outcome, "probe_backup_last_success_timestamp_seconds") ==
        base::seconds(*base::parse_iso8601("2026-11-28T01:00:00Z")));
  CHECK(measured(outcome, "probe_backup_last_size_bytes") == 250);
  CHECK(measured(outcome, "probe_backup_median_size_bytes") == 250);
}

TEST_CASE("restic is asked without a cache and without locking, and its locks are counted") {
  ToolTrial trial("restic", "rest:https://shop:hunter2@backup.example/shop",
                  {"password_file=/etc/fettle/restic.password", "host=shop1", "environment={AWS_REGION: eu-1}"});
  trial.start();
  const os::Command& first = trial.world.spawner.desk.last();
  CHECK(first.argv == std::vector<std::string>{"/usr/bin/restic", "snapshots", "--json", "--no-lock", "--no-cache",
                                               "--latest", "20", "--host", "shop1"});
  CHECK(first.environment.at("RESTIC_REPOSITORY") == "rest:https://shop:hunter2@backup.example/shop");
  CHECK(first.environment.at("RESTIC_PASSWORD_FILE") == "/etc/fettle/restic.password");
  CHECK(first.environment.at("AWS_REGION") == "eu-1");
  CHECK(first.limit == 60s);
  trial.world.spawner.desk.answer(
      exited(0, R"([{"time": "2026-11-28T12:00:00.371780683Z", "short_id": "10a846a3", "paths": ["/var/lib/order"]},
                    {"time": "2026-11-29T19:30:00.5+02:00", "short_id": "c6dfda9c",
                     "summary": {"backup_end": "2026-11-29T18:00:00+01:00", "total_bytes_processed": 1234}}])"));
  CHECK(trial.world.spawner.desk.last().argv[1] == "list");
  trial.world.spawner.desk.answer(exited(0, "0815\n4711\n"));
  CHECK(trial.found.up);
  CHECK(trial.found.text == "the newest backup, c6dfda9c, ended 2h ago");
  CHECK(trial.measured("probe_backup_count") == 2);
  CHECK(trial.measured("probe_backup_locks") == 2);
  CHECK(trial.measured("probe_backup_last_size_bytes") == 1234);
  CHECK(trial.spec.settings->target().find("hunter2") == std::string::npos);
}

TEST_CASE("a backup tool that does not answer says why") {
  struct Row {
    const char* name;
    std::vector<os::Finished> answers;
    Reason reason;
    const char* text;
  };
  os::Finished late = exited(-1, "");
  late.timed_out = true;
  for (const Row& row : std::vector<Row>{
           {"wrong password",
            {exited(1, "", "Fatal: wrong password or no key found\n")},
            Reason::exit_code,
            "/usr/bin/restic ended with exit code 1: Fatal: wrong password or no key found"},
           {"late", {late}, Reason::exec_timeout, "/usr/bin/restic still ran at the deadline and was killed"},
           {"nothing matches",
            {exited(0, "[]"), exited(0, "")},
            Reason::body_mismatch,
            "there is no backup in /srv/shop"},
           {"null, as of a repository without snapshots",
            {exited(0, "null"), exited(0, "")},
            Reason::body_mismatch,
            "there is no backup in /srv/shop"},
           {"no JSON",
            {exited(0, "repository 0815 opened\n[]"), exited(0, "")},
            Reason::protocol_error,
            "no list of snapshots came from restic for /srv/shop"},
           {"another JSON",
            {exited(0, "{\"a\": 1}"), exited(0, "")},
            Reason::protocol_error,
            "no list of snapshots came from restic for /srv/shop"},
           {"no time",
            {exited(0, "[{\"short_id\": \"0815\", \"time\": 7}, 3]"), exited(0, "")},
            Reason::body_mismatch,
            "there is no backup in /srv/shop; the backup 0815 has an error: restic tells no time of it"},
           {"too long",
            {exited(0, std::string(1 << 20, ' '))},
            Reason::too_large,
            "/usr/bin/restic printed more than 512 KiB"},
       }) {
    CAPTURE(row.name);
    ToolTrial trial("restic", "/srv/shop", {"password_file=/etc/fettle/restic.password"});
    trial.answer(row.answers);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
  }
}

TEST_CASE("pgbackrest is believed for what it says, and not for its exit code") {
  ToolTrial good("pgbackrest", "shop");
  good.answer({exited(0, kPgbackrest)});
  CHECK(good.found.reason == Reason::body_mismatch);
  CHECK(good.found.text ==
        "the newest backup, 20261128-010000F, ended 1d18h ago; max_age is 1d2h; the backup "
        "20261128-010000F_20261129-010000I has an error: pages with wrong checksums were found in it");
  CHECK(good.measured("probe_backup_last_size_bytes") == 1000);
  CHECK(good.world.spawner.desk.asked().back().argv ==
        std::vector<std::string>{"/usr/bin/pgbackrest", "--config=/etc/pgbackrest.conf", "--stanza=shop",
                                 "--log-level-file=off", "--output=json", "info"});
  for (const auto& row : std::vector<std::pair<std::string, std::string>>{
           {R"([{"name": "shop", "backup": [], "status": {"code": 1, "message": "missing stanza path"}}])",
            "pgBackRest says of stanza shop: missing stanza path (code 1)"},
           {R"([{"name": "shop", "backup": [], "status": {"code": 2, "message": "no valid backups"}}])",
            "there is no backup in shop"},
           {R"([{"name": "shop"}])", "pgBackRest says of stanza shop: nothing about its status"},
           {R"([])", "pgBackRest knows no stanza shop"},
           {R"({})", "no list of stanzas came from pgBackRest for shop"},
       }) {
    CAPTURE(row.first);
    ToolTrial trial("pgbackrest", "shop");
    trial.answer({exited(0, row.first)});
    CHECK_FALSE(trial.found.up);
    CHECK(trial.found.text == row.second);
  }
}

TEST_CASE("borg tells times by the clock of its zone, and what was interrupted is no backup") {
  ToolTrial trial("borg", "/srv/shop", {"passphrase_file=/etc/fettle/borg.passphrase"});
  const base::TimeZone here;
  const auto minute = here.minute(kNow - 2h);
  const auto day = here.day(kNow - 2h);
  const std::chrono::year_month_day date{day};
  char at[64];
  std::snprintf(at, sizeof at, "%04d-%02u-%02uT%02d:%02d:00.000000", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), minute / 60, minute % 60);
  trial.answer({exited(0, std::string(R"({"archives": [{"name": "a1", "end": ")") + at +
                              R"(", "stats": {"original_size": 204800}},
      {"name": "a2.checkpoint", "end": "2099-01-01T00:00:00.000000", "stats": {"original_size": 4}}]})")});
  CHECK(trial.found.text == "the newest backup, a1, ended 2h ago");
  CHECK(trial.measured("probe_backup_broken") == 1);
  CHECK(trial.measured("probe_backup_last_size_bytes") == 204800);
  const os::Command& asked = trial.world.spawner.desk.asked().back();
  CHECK(asked.argv == std::vector<std::string>{"/usr/bin/borg", "--bypass-lock", "info", "--json", "--last", "20"});
  CHECK(asked.environment.at("BORG_PASSCOMMAND") == "cat /etc/fettle/borg.passphrase");
}

TEST_CASE("a report is read in the place of the tool") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder.path() + "/report.json";
  ToolTrial trial("pgbackrest", "shop", {"report_file=" + file});
  CHECK(trial.spec.settings->target() == file);
  const auto run = [&trial] {
    trial.answers = 0;
    trial.start();
    trial.world.loop.run_due();
    return trial.found.text;
  };
  CHECK(run() == "cannot read " + file + ": No such file or directory");
  CHECK(trial.found.reason == Reason::body_mismatch);
  folder.write("report.json", kPgbackrest);
  CHECK(run().starts_with("the newest backup, 20261128-010000F, ended 1d18h ago"));
  CHECK(trial.world.spawner.desk.asked().empty());
}
