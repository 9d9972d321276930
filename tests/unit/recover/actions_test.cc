#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/node.h"
#include "fakes/action_trial.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"

using std::chrono::seconds;
using Fixture = fakes::ActionTrial;

TEST_CASE("systemd runs one job and tells its result") {
  struct Row {
    base::Result<std::string> job;
    const char* result;
    const char* text;
  };
  const Row rows[] = {
      {std::string("done"), "ok", "systemd restart order.service: done"},
      {std::string("failed"), "failed",
       "systemd restart order.service: the job ended as 'failed'; see: journalctl -u order.service"},
      {std::string("timeout"), "timeout",
       "systemd restart order.service: the job ended as 'timeout'; see: journalctl -u order.service"},
      {base::fail(base::Kind::permission, "Interactive authentication required"), "refused",
       "systemd restart order.service: not allowed (Interactive authentication required); polkit must grant "
       "org.freedesktop.systemd1.manage-units for this unit and verb: install the rule that `fettle check config "
       "--print-polkit` prints"},
      {std::string("canceled"), "failed",
       "systemd restart order.service: the job ended as 'canceled': a later job on the unit took its place"},
      {base::fail(base::Kind::cancelled, "order.service has 'stop' job queued"), "refused",
       "systemd restart order.service: somebody else's job on the unit goes first; nothing was done (order.service has "
       "'stop' job queued)"},
      {base::fail(base::Kind::timeout, "no answer within 10s"), "timeout",
       "systemd restart order.service: no answer within 10s"},
      {base::fail(base::Kind::unavailable, "no bus"), "failed", "systemd restart order.service: no bus"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Fixture f;
    const auto action = f.parse("systemd", "restart");
    f.run(*action);
    CHECK(f.systemd.jobs.last() == "restart order.service");
    f.systemd.on_read = [](const std::string&) { return os::UnitState{"loaded", "failed", "failed", "exit-code"}; };
    f.systemd.jobs.answer(row.job);
    REQUIRE(f.results.size() == 1);
    CHECK(to_string(f.results[0].result) == row.result);
    CHECK(f.results[0].text == row.text);
  }
}

namespace {

// systemd's answer after a start that it refused, because the unit was started five times in eight seconds.
os::UnitState refused_to_start(const std::string& result) {
  os::UnitState state{"loaded", "failed", "failed", result};
  state.start_limit_us = 8'000'000;
  state.start_limit_burst = 5;
  return state;
}

}  // namespace

TEST_CASE("a unit that was killed keeps that result when its start limit is hit: what never began to start tells it") {
  struct Row {
    const char* name;
    std::string active;
    base::Duration began;  // from the restart's request
    std::uint32_t burst;
    bool limited;
  };
  const Row rows[] = {
      {"not started", "failed", -seconds{3}, 5, true},
      {"not started, stopped before", "inactive", -seconds{3}, 5, true},
      {"started and failed", "failed", seconds{0}, 5, false},
      {"starts again by itself", "activating", -seconds{3}, 5, false},
      {"has no limit", "failed", -seconds{3}, 0, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    fakes::ActionTrial f;
    const auto action = f.parse("systemd", "restart");
    f.loop.advance(seconds{10});
    f.run(*action);
    os::UnitState state = refused_to_start("signal");
    state.active = row.active;
    state.start_limit_burst = row.burst;
    const auto began = (f.loop.now() + row.began).time_since_epoch();
    state.inactive_exit_monotonic_us = std::chrono::duration_cast<std::chrono::microseconds>(began).count();
    f.systemd.on_read = [&](const std::string&) { return state; };
    f.systemd.jobs.answer(std::string("failed"));
    CHECK(f.systemd.jobs.last() == (row.limited ? "reset-failed order.service" : "restart order.service"));
    CHECK(f.results.size() == (row.limited ? 0 : 1));
  }
}

TEST_CASE("a unit that was started too often: reset-failed goes before another try, or the limit's own time") {
  fakes::ActionTrial f;
  const auto action = f.parse("systemd", "restart");
  f.systemd.on_read = [](const std::string&) { return refused_to_start("start-limit-hit"); };
  f.run(*action);
  f.systemd.jobs.answer(std::string("failed"));
  CHECK(f.systemd.jobs.last() == "reset-failed order.service");
  SUBCASE("it is allowed") {
    f.systemd.jobs.answer(std::string("done"));
    CHECK(f.systemd.jobs.last() == "restart order.service");
    f.systemd.jobs.answer(std::string("done"));
    REQUIRE(f.results.size() == 1);
    CHECK(f.results[0].result == model::ActionStatus::ok);
    CHECK(f.results[0].text ==
          "systemd restart order.service: done; before that its start limit (5 starts in 8s) was hit and reset-failed "
          "was done");
  }
  SUBCASE("people have stopped the run meanwhile") {
    fakes::ActionTrial g;
    std::optional<std::string> why;
    g.trigger.stopped = [&why] { return why; };
    g.systemd.on_read = f.systemd.on_read;
    g.run(*action);
    g.systemd.jobs.answer(std::string("failed"));
    g.systemd.jobs.answer(base::fail(base::Kind::permission, "denied"));
    why = "maintenance: on: alice";
    g.loop.advance(std::chrono::seconds{8});
    CHECK(g.systemd.jobs.asked().size() == 2);
    REQUIRE(g.results.size() == 1);
    CHECK(g.results[0].text ==
          "systemd restart order.service: its start limit (5 starts in 8s) was hit; reset-failed: denied; maintenance: "
          "on: alice, so it was not started again");
  }
  SUBCASE("it is not allowed") {
    f.systemd.jobs.answer(base::fail(base::Kind::permission, "denied"));
    CHECK(f.results.empty());
    f.loop.advance(std::chrono::seconds{7});
    CHECK(f.systemd.jobs.asked().size() == 2);
    f.loop.advance(std::chrono::seconds{1});
    CHECK(f.systemd.jobs.last() == "restart order.service");
    f.systemd.jobs.answer(std::string("failed"));
    REQUIRE(f.results.size() == 1);
    CHECK(f.results[0].text ==
          "systemd restart order.service: the job ended as 'failed'; see: journalctl -u order.service; before that its "
          "start limit (5 starts in 8s) was hit; reset-failed: denied");
  }
}

TEST_CASE("every verb of systemd is a job of its own; to clear a failed state heals nothing") {
  for (const std::string verb : {"restart", "start", "stop", "reload", "reset-failed"}) {
    CAPTURE(verb);
    fakes::ActionTrial t;
    const auto action = t.parse("systemd", "{verb: " + verb + ", unit: redis.service}");
    t.run(*action);
    CHECK(t.systemd.jobs.last() == verb + " redis.service");
    CHECK(action->systemd_job()->verb == verb);
    CHECK(action->systemd_job()->unit == "redis.service");
    CHECK(action->may_heal() == (verb != "reset-failed"));
  }
  CHECK(fakes::ActionTrial().mistakes("systemd", "restrat") ==
        "fettle.yml:1:9: do: expected one of restart, start, stop, reload, reset-failed, got 'restrat'; did you mean "
        "'restart'?\n");
}

TEST_CASE("a command gets its arguments, the event, and an environment of its own") {
  ::setenv("FETTLE_TEST_PASSED", "yes", 1);
  ::setenv("FETTLE_TEST_HELD_BACK", "secret", 1);
  Fixture f;
  const auto action =
      f.parse("command",
              "{argv: [/usr/bin/env, '--for={service}/{node}', '{action_id}', '{}', '{ x }'], "
              "environment: {COLOUR: blue}, pass_environment: [FETTLE_TEST_PASSED, FETTLE_TEST_UNSET]}");
  CHECK(action->text() == "command /usr/bin/env");
  f.run(*action);
  const os::Command& command = f.spawner.desk.last();
  CHECK(command.argv == std::vector<std::string>{"/usr/bin/env", "--for=order/node1", "0123abcd", "{}", "{ x }"});
  CHECK(command.input == f.trigger.event_json);
  CHECK(command.limit == base::Millis{10'000});  // the step's timeout is shorter than the command's limit of 30s
  CHECK(command.environment ==
        std::map<std::string, std::string>{{"COLOUR", "blue"},
                                           {"FETTLE_ACTION_ID", "0123abcd"},
                                           {"FETTLE_ATTEMPT", "2"},
                                           {"FETTLE_NODE", "node1"},
                                           {"FETTLE_SERVICE", "order"},
                                           {"FETTLE_TEST_PASSED", "yes"},
                                           {"FETTLE_UNIT", "order.service"},
                                           {"LANG", "C.UTF-8"},
                                           {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}});
}

TEST_CASE("a command sees of the alert's labels what the configuration names, and more only on its standard input") {
  Fixture f;
  f.trigger.event_json =
      R"({"service":"order","alert":{"labels":{"alertname":"ServiceDown","severity":"page","note":"a b; reboot"}}})";
  const auto action =
      f.parse("command", "{argv: [/usr/bin/env, '{label.severity}', '[0-9]{3}'], pass_labels: [severity, note, zone]}");
  f.run(*action);
  const os::Command& command = f.spawner.desk.last();
  CHECK(command.argv == std::vector<std::string>{"/usr/bin/env", "page", "[0-9]{3}"});
  CHECK(command.environment.at("FETTLE_LABEL_severity") == "page");
  CHECK(command.environment.at("FETTLE_LABEL_note") == "a b; reboot");
  CHECK(command.environment.at("FETTLE_LABEL_zone").empty());
  CHECK(command.environment.count("FETTLE_LABEL_alertname") == 0);
  CHECK(command.input == f.trigger.event_json);

  const auto careless = f.parse("command", "{argv: [/usr/bin/env, '--note={label.note}'], pass_labels: [note]}");
  f.run(*careless);
  CHECK(f.spawner.desk.asked().size() == 1);
  CHECK(
      f.end() ==
      "refused: {label.note} 'a b; reboot' is not put into arguments: it has other characters than letters, digits and "
      "_.@:-; the program can read it from FETTLE_… or standard input");
}

TEST_CASE("a label is one word of a command's arguments, and no option where a word begins") {
  struct Row {
    const char *argument, *label, *want;  // "" if it is refused
  };
  for (const Row& row : std::initializer_list<Row>{
           {"{label.x}", "page", "page"},
           {"{label.x}", "-rf", ""},
           {"{label.x}", "--output=a", ""},
           {"-{label.x}", "-help", ""},
           {"rm {label.x}", "-rf", ""},
           {"--level={label.x}", "-rf", "--level=-rf"},
           {"order-{label.x}", "eu-west", "order-eu-west"},
           {"{label.x}", "", ""},
           {"{label.x}", "a\\nb", ""},
           {"{label.x}", "a\\u0000b", ""},
           {"/srv/{label.x}/log", "..", ""},
           {"/srv/{label.x}/log", "order", "/srv/order/log"},
       }) {
    CAPTURE(row.argument);
    CAPTURE(row.label);
    Fixture f;
    f.trigger.event_json = std::string(R"({"alert":{"labels":{"x":")") + row.label + R"("}}})";
    f.run(*f.parse("command", std::string("{argv: [/usr/bin/env, '") + row.argument + "'], pass_labels: [x]}"));
    CHECK(f.spawner.desk.asked().size() == (row.want[0] != '\0' ? 1 : 0));
    if (row.want[0] != '\0') CHECK(f.spawner.desk.last().argv.at(1) == row.want);
    else CHECK(f.end().starts_with("refused: {label.x}"));
  }
  Fixture f;
  f.trigger.event_json = R"({"alert":{"labels":{"x":"a\u0000b"}}})";
  f.run(*f.parse("command", "{argv: [/usr/bin/env], pass_labels: [x]}"));
  CHECK(f.spawner.desk.asked().empty());
  CHECK(f.end() == "refused: the label x has a NUL in it, which no variable can hold");
}

TEST_CASE("a command that leaves nothing has limits by default; a daemon would inherit them") {
  struct Row {
    const char* keys;
    os::Leftovers leftovers;
    os::Limits want;
  };
  const std::uint64_t gib = 1024 * 1024 * 1024;
  const Row rows[] = {
      {"", os::Leftovers::kept, {seconds{0}, 0, 1024, 0, 0}},
      {", leaves: nothing", os::Leftovers::killed, {seconds{30}, gib, 1024, 64, 0}},
      {", leaves: nothing, limit: 1500ms, limits: {processes: 0}",
       os::Leftovers::killed,
       {seconds{2}, gib, 1024, 0, 0}},
      {", limits: {cpu: 5s, file_bytes: 4096, open_files: 0, processes: 8, memory_bytes: 1000000}",
       os::Leftovers::kept,
       {seconds{5}, 4096, 0, 8, 1000000}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.keys);
    Fixture f;
    const auto action = f.parse("command", std::string("{argv: [/usr/bin/env]") + row.keys + "}");
    f.run(*action);
    const os::Command& command = f.spawner.desk.last();
    CHECK(command.leftovers == row.leftovers);
    CHECK(command.limits.cpu == row.want.cpu);
    CHECK(command.limits.file_bytes == row.want.file_bytes);
    CHECK(command.limits.open_files == row.want.open_files);
    CHECK(command.limits.processes == row.want.processes);
    CHECK(command.limits.memory_bytes == row.want.memory_bytes);
  }
}

TEST_CASE("what a command's end means") {
  struct Row {
    base::Result<os::Finished> finished;
    const char* result;
    const char* text;
  };
  os::Finished good;
  good.exit_code = 0;
  good.out = "cache cleared\nmore\n";
  os::Finished bad;
  bad.exit_code = 3;
  bad.out = "out";
  bad.err = "no such cache\n";
  os::Finished killed;
  killed.signal = 9;
  os::Finished busy;
  busy.signal = 24;
  os::Finished slow;
  slow.timed_out = true;
  slow.survivors_killed = 2;
  const Row rows[] = {
      {good, "ok", "command /usr/bin/env: exit code 0: cache cleared"},
      {bad, "failed", "command /usr/bin/env: exit code 3: no such cache"},
      {killed, "failed", "command /usr/bin/env: ended by signal 9"},
      {busy, "failed", "command /usr/bin/env: ended by signal 24 (limits.cpu)"},
      {slow, "timeout", "command /usr/bin/env: not ended within its limit; 2 of its processes killed"},
      {base::fail(base::Kind::io, "out of memory"), "failed", "command /usr/bin/env: out of memory"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Fixture f;
    const auto action = f.parse("command", "{argv: [/usr/bin/env]}");
    f.run(*action);
    f.spawner.desk.answer(row.finished);
    REQUIRE(f.results.size() == 1);
    CHECK(to_string(f.results[0].result) == row.result);
    CHECK(f.results[0].text == row.text);
  }
}

TEST_CASE("a value that could mean something to a program is not put into arguments") {
  for (const std::string& service :
       {std::string("order; reboot"), std::string("../etc"), std::string(129, 'x'), std::string()}) {
    CAPTURE(service);
    Fixture f;
    f.trigger.service = service;
    const auto action = f.parse("command", "{argv: [/usr/bin/env, 'a{service}']}");
    f.run(*action);
    f.loop.run_due();
    CHECK(f.spawner.desk.asked().empty());
    REQUIRE(f.results.size() == 1);
    CHECK(f.results[0].result == model::ActionStatus::refused);
  }
}

TEST_CASE("a program that others may write is refused at load, and at run time if that changed") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "fettle_actions_test";
  std::filesystem::create_directories(folder);
  const std::string program = (folder / "hook").string();
  std::ofstream(program) << "#!/bin/sh\n";
  ::chmod(program.c_str(), 0755);
  Fixture f;
  const auto action = f.parse("command", "{argv: [" + program + "]}");
  ::chmod(program.c_str(), 0775);
  f.run(*action);
  f.loop.run_due();
  CHECK(f.spawner.desk.asked().empty());
  REQUIRE(f.results.size() == 1);
  CHECK(f.results[0].text ==
        program + " may be written by its group or by others, who could have anything run; chmod go-w it");
  std::filesystem::remove_all(folder);
}

TEST_CASE("alert pages with the attempt and the recovery's id") {
  Fixture f;
  const auto action = f.parse("alert", "page");
  CHECK_FALSE(action->may_heal());
  f.run(*action);
  f.loop.run_due();
  CHECK(f.pages == std::vector<std::string>{"order: order: recovery attempt 2 needs a person (recovery 0123abcd)"});
  REQUIRE(f.results.size() == 1);
  CHECK(f.results[0].result == model::ActionStatus::ok);
}

TEST_CASE("drain says that nothing was moved") {
  Fixture f;
  config::Errors errors;
  const auto action = recover::action_types().find("drain")->parse({}, "do", {"order", "", true}, errors);
  f.run(*action);
  f.loop.run_due();
  REQUIRE(f.results.size() == 1);
  CHECK(f.results[0].result == model::ActionStatus::refused);
  CHECK(f.results[0].text ==
        "no traffic was moved: order has no `traffic` in the configuration, so drain does nothing");
}
