// One run of each type against parts that the test answers for.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include "fakes/fake_stream.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "os/pid_watch.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

using fakes::Trial;

struct Talk : Trial {
  explicit Talk(const std::string& turns) : Trial("tcp", "redis:6379", {"query_response=" + turns}) {
    start();
    net::Connected connected;
    connected.stream = std::make_unique<fakes::FakeStream>(peer);
    connected.address = "10.0.0.1";
    connected.phases = {{"resolve", 1ms}, {"connect", 2ms}};
    world.dialer.desk.answer(std::move(connected));
  }
  fakes::Peer peer{world.loop};
};

}  // namespace

TEST_CASE("http sends what is configured") {
  Trial trial(
      "http", "https://shop.example:8081/healthz",
      {"method=POST", "body=ping", "headers={Host: shop, X-A: b}", "follow_redirects=false", "body_limit=100",
       "ip_protocol=ip4", "unix_socket=/run/shop.sock", "basic_auth={username: Aladdin, password: open sesame}"});
  trial.start();
  const http::HttpRequest& sent = trial.world.http.desk.last();
  CHECK(sent.url == "https://shop.example:8081/healthz");
  CHECK(sent.method == "POST");
  CHECK(sent.body == "ping");
  CHECK(sent.max_redirects == 0);
  CHECK(sent.body_limit == 100);
  CHECK(sent.family == net::Family::v4);
  CHECK(sent.unix_socket == "/run/shop.sock");
  CHECK(sent.proxy.empty());
  CHECK(sent.deadline == trial.world.loop.now() + 1s);
  const http::Headers want{{"Host", "shop"}, {"X-A", "b"}, {"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}};
  CHECK(sent.headers == want);
  http::HttpResponse response;
  response.status = 204;
  response.version = "1.1";
  trial.world.http.desk.answer(std::move(response));
  CHECK(trial.answers == 1);
  CHECK(trial.found.up);
  CHECK(trial.measured("probe_http_status_code") == 204);
}

TEST_CASE("what redirects set to log in with is in no text") {
  struct Row {
    std::string type;
    std::vector<std::string> settings;
  };
  for (const Row& row :
       std::vector<Row>{{"http", {"reuse_connection=true"}},  // a connection that is kept is the library's
                        {"prometheus", {"metrics=[a]"}},
                        {"json", {"values={a: a}"}},
                        {"nginx", {}}}) {
    CAPTURE(row.type);
    Trial trial(row.type, "https://shop.example/", row.settings);
    trial.start();
    http::HttpResponse response;
    response.reason = Reason::protocol_error;
    response.text = "a header line is too long: Cookie: sid=s3ss10n-0815";
    response.cookies = {"s3ss10n-0815"};
    trial.world.http.desk.answer(std::move(response));
    CHECK(trial.found.text == "a header line is too long: Cookie: sid=<secret>");
  }
}

TEST_CASE("http without its credentials fails without asking") {
  Trial trial("http", "http://x/", {"authorization={credentials_file: /nonexistent/token}"});
  trial.start();
  trial.world.loop.run_due();
  CHECK(trial.world.http.desk.asked().empty());
  CHECK(trial.found.reason == Reason::agent_overloaded);
  CHECK(trial.found.text.find("/nonexistent/token") != std::string::npos);
}

TEST_CASE("dropping a run takes its request back and keeps it silent") {
  Trial trial("http", "http://x/", {"reuse_connection=true"});
  trial.start();
  CHECK(trial.world.http.desk.waiting() == 1);
  trial.attempt.reset();
  CHECK(trial.world.http.desk.waiting() == 0);
  trial.world.loop.advance(1h);
  CHECK(trial.answers == 0);
}

TEST_CASE("tcp that cannot connect says why") {
  Trial trial("tcp", "redis:6379");
  trial.start();
  net::Connected connected;
  connected.failure = {Reason::refused, "connect to 10.0.0.1:6379: Connection refused"};
  connected.address = "10.0.0.1";
  connected.phases = {{"resolve", 3ms}};
  trial.world.dialer.desk.answer(std::move(connected));
  CHECK(trial.found.reason == Reason::refused);
  CHECK(trial.found.text == "connect to 10.0.0.1:6379: Connection refused");
  CHECK(trial.measured("probe_ip_protocol") == 4);
  CHECK(trial.measured("probe_dns_lookup_time_seconds") == doctest::Approx(0.003));
}

TEST_CASE("a dialogue takes its turns") {
  Talk talk("[{send: PING}, {expect: '^.PONG'}]");
  CHECK(talk.peer.written == std::vector<std::string>{"PING\n"});
  CHECK(talk.answers == 0);
  talk.peer.say("+PO");
  CHECK(talk.answers == 0);
  talk.peer.say("NG\r\n");
  CHECK(talk.answers == 1);
  CHECK(talk.found.up);
  CHECK(talk.found.text == "talked to redis:6379");
  CHECK(talk.measured("probe_failed_due_to_regex") == 0);
}

TEST_CASE("a dialogue passes over lines that do not match, and answers with what it heard") {
  Talk talk("[{expect: '^220 (\\S+) (\\S+)', send: 'EHLO ${1} ${3}${2'}, {expect: '^250 '}]");
  talk.peer.say("# banner\n220 mail.example ESMTP\n");
  CHECK(talk.peer.written == std::vector<std::string>{"EHLO mail.example ${2\n"});
  talk.peer.say("250-SIZE\n250-STARTTLS\n250 OK\n");
  CHECK(talk.found.up);
}

TEST_CASE("bytes are found wherever they come") {
  Talk talk("[{expect_bytes: 'ready>'}, {send: quit}]");
  talk.peer.say("hello rea");
  talk.peer.say("dy>");
  talk.world.loop.run_due();
  CHECK(talk.found.up);
  CHECK(talk.peer.written.size() == 1);
}

TEST_CASE("a dialogue that fails says at which turn and what came instead") {
  struct Row {
    const char* name;
    const char* turns;
    std::function<void(fakes::Peer&)> act;
    Reason reason;
    const char* text;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"closed at once", "[{expect: x}]", [](auto& p) { p.close(); }, Reason::closed_early,
            "turn 1: closed the connection without a word"},
           {"another answer", "[{send: PING}, {expect: PONG}]",
            [](auto& p) {
              p.say("-NOAUTH needed\r\n");
              p.close();
            },
            Reason::body_mismatch, "turn 2: no line matched 'PONG'; the last was '-NOAUTH needed'"},
           {"another answer, then silence until the deadline", "[{expect: PONG}]",
            [](auto& p) {
              p.say("LOADING\n");
              p.fail(Reason::read_timeout, "no answer");
            },
            Reason::body_mismatch, "turn 1: no line matched 'PONG'; the last was 'LOADING'"},
           {"a prompt without a line end", "[{expect: 'READY>'}]",
            [](auto& p) {
              p.say("READY>");
              p.fail(Reason::read_timeout, "no answer");
            },
            Reason::body_mismatch, "turn 1: no line matched 'READY>'; the last, 'READY>', has no line end"},
           {"silence until the deadline", "[{expect: PONG}]",
            [](auto& p) { p.fail(Reason::read_timeout, "read from 10.0.0.1:6379: no answer"); }, Reason::read_timeout,
            "turn 1: read from 10.0.0.1:6379: no answer"},
           {"reset", "[{expect: PONG}]", [](auto& p) { p.fail(Reason::reset, "Connection reset by peer"); },
            Reason::reset, "turn 1: Connection reset by peer"},
           {"other bytes", "[{expect_bytes: abc}]",
            [](auto& p) {
              p.say(std::string("ab\0\x01", 4));
              p.close();
            },
            Reason::body_mismatch, "turn 1: never sent 'abc'; ended with 'ab..'"},
           {"a flood", "[{expect: PONG}]", [](auto& p) { p.say(std::string(70'000, 'x')); }, Reason::too_large,
            "turn 1: sent more than 65536 bytes without a match"},
       }) {
    CAPTURE(row.name);
    Talk talk(row.turns);
    row.act(talk.peer);
    CHECK(talk.answers == 1);
    CHECK(talk.found.reason == row.reason);
    CHECK(talk.found.text == row.text);
    const bool bytes = std::string_view(row.turns).find("expect_bytes") != std::string_view::npos;
    const bool mismatch = row.reason == Reason::body_mismatch;
    CHECK(talk.measured("probe_failed_due_to_regex") == (mismatch && !bytes ? 1 : 0));
    if (bytes) CHECK(talk.measured("probe_failed_due_to_bytes") == (mismatch ? 1 : 0));
    talk.attempt.reset();
    CHECK_FALSE(talk.peer.open);
  }
}

TEST_CASE("the last line counts without its newline when the peer has closed") {
  Talk talk("[{expect: done}]");
  talk.peer.say("done");
  CHECK(talk.answers == 0);
  talk.peer.close();
  CHECK(talk.found.up);
}

TEST_CASE("unix connects to its path") {
  Trial trial("unix", "/run/order.sock");
  trial.start();
  CHECK(trial.world.dialer.desk.last().unix_path == "/run/order.sock");
  fakes::Peer peer{trial.world.loop};
  net::Connected connected;
  connected.stream = std::make_unique<fakes::FakeStream>(peer);
  trial.world.dialer.desk.answer(std::move(connected));
  CHECK(trial.found.up);
  CHECK(trial.found.text == "connected to /run/order.sock");
  trial.attempt.reset();  // before its peer
}

TEST_CASE("exec judges by exit code and keeps the plugin's values") {
  struct Row {
    const char* name;
    os::Finished finished;
    Reason reason;
    const char* text;
  };
  const auto exited = [](int code, const char* out, const char* err = "") {
    os::Finished f;
    f.exit_code = code;
    f.out = out;
    f.err = err;
    return f;
  };
  os::Finished killed = exited(-1, "");
  killed.signal = 11;
  os::Finished late = exited(-1, "still working\n");
  late.signal = 9;
  late.timed_out = true;
  for (const Row& row : {
           Row{"ok", exited(0, "DISK OK | /=5%;10\n"), Reason::none, "exit code 0: DISK OK"},
           Row{"warning that may pass", exited(1, "DISK WARNING\n"), Reason::none, "exit code 1: DISK WARNING"},
           Row{"critical", exited(2, "DISK CRITICAL\nmore\n"), Reason::exit_code, "exit code 2: DISK CRITICAL"},
           Row{"unknown", exited(3, "", "no such disk\n"), Reason::exit_code, "exit code 3: no such disk"},
           Row{"crashed", killed, Reason::signal, "ended by signal 11"},
           Row{"hung", late, Reason::exec_timeout, "still ran at its deadline and was killed: still working"},
       }) {
    CAPTURE(row.name);
    Trial trial("exec", "[/bin/check, -p, /]", {"ok_codes=[0, 1]", "environment={LANG: C}"});
    trial.start();
    const os::Command& command = trial.world.spawner.desk.last();
    CHECK(command.argv == std::vector<std::string>{"/bin/check", "-p", "/"});
    CHECK(command.environment == std::map<std::string, std::string>{{"LANG", "C"}});
    CHECK(command.limit == 1s);
    trial.world.spawner.desk.answer(row.finished);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
  }
  Trial trial("exec", "/bin/check");
  trial.start();
  trial.world.spawner.desk.answer(exited(1, "W | /=5%;10 t=3ms\n"));
  CHECK(trial.found.reason == Reason::exit_code);
  CHECK(trial.measured("probe_exec_exit_code") == 1);
  CHECK(trial.measured("probe_exec_perfdata", "label", "/") == 5);
  CHECK(trial.measured("probe_exec_perfdata", "unit", "seconds") == doctest::Approx(0.003));
}

TEST_CASE("exec that cannot start says nothing of the service, and a silent one is late in its own words") {
  Trial trial("exec", "/nonexistent");
  trial.start();
  trial.world.spawner.desk.answer(base::fail(base::Kind::not_found, "/nonexistent: No such file or directory"));
  CHECK(trial.found.text == "could not be started: /nonexistent: No such file or directory");
  CHECK(trial.found.reason == Reason::agent_overloaded);
  Trial silent("exec", "/bin/sleep");
  silent.start();
  silent.world.loop.advance(2s);
  CHECK(silent.found.reason == Reason::exec_timeout);
  CHECK(silent.found.text == "no answer within 1s");
}

TEST_CASE("process finds itself by pidfile and by unit, and not what is gone") {
  const std::string pidfile = "/tmp/fettle-unit-" + std::to_string(::getpid()) + ".pid";
  std::ofstream(pidfile) << ::getpid() << "\n";
  Trial by_file("process", pidfile);
  const double wall = base::seconds(by_file.world.loop.wall_now());
  by_file.start();
  by_file.world.loop.run_due();
  CHECK(by_file.found.up);
  CHECK(by_file.measured("probe_process_pid") == ::getpid());
  const double start = by_file.measured("probe_process_start_time_seconds");
  CHECK(start > 1'500'000'000);
  for (const auto step : {-3'600'000ms, 7'200'000ms, -3'600'000ms}) {
    by_file.world.loop.jump_wall(step);
    by_file.answers = 0;
    by_file.start();
    by_file.world.loop.run_due();
    const double moved = base::seconds(by_file.world.loop.wall_now()) - wall;
    CHECK(std::abs(by_file.measured("probe_process_start_time_seconds") - start - moved) <= 2);
  }
  // The number is this process' by chance: the file is older than it is.
  const timespec long_ago[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, pidfile.c_str(), long_ago, 0) == 0);
  by_file.world.loop.jump_wall(std::chrono::floor<base::Millis>(std::chrono::system_clock::now()) -
                               by_file.world.loop.wall_now());
  by_file.answers = 0;
  by_file.start();
  by_file.world.loop.run_due();
  CHECK(by_file.found.reason == Reason::body_mismatch);
  CHECK(by_file.found.text.find(pidfile + " was written before process " + std::to_string(::getpid())) == 0);
  std::ofstream(pidfile) << "999999999\n";
  Trial gone("process", pidfile);
  gone.start();
  gone.world.loop.run_due();
  CHECK(gone.found.reason == Reason::process_gone);
  for (const char* no_number : {"", "\n", "x\n"}) {  // as while it is written, or by a full disk
    std::ofstream(pidfile) << no_number;
    gone.answers = 0;
    gone.start();
    gone.world.loop.run_due();
    CHECK(gone.found.reason == Reason::body_mismatch);
  }
  ::unlink(pidfile.c_str());
  gone.answers = 0;
  gone.start();
  gone.world.loop.run_due();
  CHECK(gone.found.reason == Reason::process_gone);

  Trial by_unit("process", "order.service");
  by_unit.start();
  os::UnitState state;
  state.active = "active";
  state.main_pid = ::getpid();
  by_unit.world.systemd.reads.answer(state);
  CHECK(by_unit.found.up);
  Trial dead_unit("process", "order.service");
  dead_unit.start();
  state.active = "failed";
  state.sub = "failed";
  state.main_pid = 0;
  dead_unit.world.systemd.reads.answer(state);
  CHECK(dead_unit.found.reason == Reason::process_gone);
  CHECK(dead_unit.found.text == "order.service has no main process; it is failed (failed)");
}

TEST_CASE("the end of a process is an event, and the next process is watched after it was seen") {
  const std::string pidfile = "/tmp/fettle-event-" + std::to_string(::getpid()) + ".pid";
  std::ofstream(pidfile) << ::getpid() << "\n";
  Trial trial("process", pidfile);
  std::vector<probe::Event> events;
  const auto source =
      trial.spec.settings->watch(trial.world.context, [&](probe::Event event) { events.push_back(std::move(event)); });
  REQUIRE(trial.world.pids.desk.asked().size() == 1);
  CHECK(trial.world.pids.desk.last().pid == ::getpid());
  os::ProcessEnd end;
  end.pid = ::getpid();
  end.signal = 9;
  trial.world.pids.desk.answer(end);
  REQUIRE(events.size() == 1);
  CHECK(events[0].source == "pidfd");
  CHECK(events[0].text.find("ended by signal 9") != std::string::npos);
  source->after_run(model::Outcome::failure(Reason::process_gone, "gone"));
  CHECK(trial.world.pids.desk.asked().size() == 1);
  source->after_run(model::Outcome::success("back"));
  CHECK(trial.world.pids.desk.asked().size() == 2);
  source->after_run(model::Outcome::success("still there"));
  CHECK(trial.world.pids.desk.asked().size() == 2);
  ::unlink(pidfile.c_str());
}

TEST_CASE("the cause of a process' end is told with the failure that it explains, and whether the kernel tells it") {
  const std::string pidfile = "/tmp/fettle-cause-" + std::to_string(::getpid()) + ".pid";
  std::ofstream(pidfile) << ::getpid() << "\n";
  struct Row {
    const char* name;
    std::optional<int> signal, exit_code;
    base::Duration kill_before = -1s;  // of a process in the control group, so long before the end; negative: none
    bool kill_after = false;           // told behind the end
    const char* cause;
    const char* text;
  };
  for (const Row& row : {
           Row{"killed", 9, {}, -1s, false, "signal", " ended by signal 9"},
           Row{"exited", {}, 3, -1s, false, "exit", " ended with exit code 3"},
           Row{"nobody tells", {}, {}, -1s, false, "unknown", " ended"},
           Row{"memory", 9, {}, 1ms, false, "oom", " ended by signal 9, killed for want of memory"},
           Row{"memory, and no more is told", {}, {}, 1ms, false, "oom", " ended, killed for want of memory"},
           Row{"memory, told late", 9, {}, -1s, true, "oom", " ended by signal 9, killed for want of memory"},
           Row{"a worker's memory, long before", 15, {}, 10s, false, "signal", " ended by signal 15"},
       }) {
    CAPTURE(row.name);
    Trial trial("process", pidfile);
    fakes::ProbeWorld& world = trial.world;
    std::vector<probe::Event> events;
    const auto source =
        trial.spec.settings->watch(world.context, [&](probe::Event event) { events.push_back(std::move(event)); });
    if (row.kill_before >= 0s) {
      world.pids.memory.answer(1);
      REQUIRE(events.size() == 1);
      CHECK(events[0].source == "cgroup");
      CHECK(events[0].text.starts_with("the kernel killed 1 process around "));
      world.loop.advance(row.kill_before);
    }
    model::Outcome alive = model::Outcome::success("there");
    source->describe(alive);
    CHECK(alive.text == "there");
    CHECK(fakes::measurement(alive, "probe_event_source_active", "source", "pidfd") == 1);
    CHECK(fakes::measurement(alive, "probe_event_source_active", "source", "cgroup") == 1);
    os::ProcessEnd end;
    end.pid = ::getpid();
    end.signal = row.signal;
    end.exit_code = row.exit_code;
    end.noticed = world.loop.now();
    world.pids.desk.answer(end);
    if (row.kill_after) world.pids.memory.answer(1);
    model::Outcome gone = model::Outcome::failure(Reason::process_gone, "gone");
    source->describe(gone);
    CHECK(gone.text.starts_with("gone; process " + std::to_string(::getpid()) + " ("));
    CHECK(gone.text.ends_with(")" + std::string(row.text)));
    CHECK(fakes::measurement(gone, "probe_process_last_end_info", "cause", row.cause) == 1);
    CHECK(fakes::measurement(gone, "probe_event_source_active", "source", "pidfd") == 0);
    // The next process is there: what became of the last one is still known, and explains nothing.
    source->after_run(model::Outcome::success("back"));
    model::Outcome back = model::Outcome::failure(Reason::process_gone, "0 of 2");
    source->describe(back);
    CHECK(back.text == "0 of 2");
    CHECK(fakes::measurement(back, "probe_process_last_end_info", "cause", row.cause) == 1);
    for (const auto& m : back.measurements) CHECK(trial.spec.type->can_measure(m.name));
  }
  // cgroup v1: everything else goes on.
  Trial old("process", pidfile);
  old.world.pids.tells_memory = false;
  const auto source = old.spec.settings->watch(old.world.context, [](probe::Event) {});
  model::Outcome outcome = model::Outcome::success("there");
  source->describe(outcome);
  CHECK(fakes::measurement(outcome, "probe_event_source_active", "source", "pidfd") == 1);
  CHECK(fakes::measurement(outcome, "probe_event_source_active", "source", "cgroup") == 0);
  ::unlink(pidfile.c_str());
}

TEST_CASE("systemd is up in its up states and says why it is not") {
  struct Row {
    const char* active;
    const char* sub;
    const char* result;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{"active", "running", "success", Reason::none, "order.service is active (running)"},
           Row{"reloading", "reload", "success", Reason::none, "order.service is reloading (reload)"},
           Row{"failed", "failed", "oom-kill", Reason::unit_failed,
               "order.service is failed (failed), result oom-kill"},
           Row{"activating", "auto-restart", "signal", Reason::unit_failed,
               "order.service is activating (auto-restart), result signal"},
           Row{"inactive", "dead", "success", Reason::unit_failed, "order.service is inactive (dead)"},
       }) {
    CAPTURE(row.active);
    Trial trial("systemd", "order.service");
    trial.start();
    os::UnitState state;
    state.load = "loaded";
    state.active = row.active;
    state.sub = row.sub;
    state.result = row.result;
    trial.world.systemd.reads.answer(state);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
    CHECK(trial.measured("probe_systemd_unit_state", "state", row.active) == 1);
  }
  Trial deaf("systemd", "order.service");
  deaf.start();
  deaf.world.systemd.reads.answer(base::fail(base::Kind::unavailable, "no system bus"));
  CHECK(deaf.found.reason == Reason::agent_overloaded);
}

TEST_CASE("a systemd that is silent says nothing about its units") {
  for (const char* type : {"systemd", "process"}) {
    CAPTURE(type);
    Trial busy(type, "order.service");
    busy.start();
    busy.world.systemd.reads.answer(base::fail(base::Kind::timeout, "systemd did not answer in time"));
    CHECK(busy.found.reason == Reason::agent_overloaded);
    CHECK(busy.spec.type->late == Reason::agent_overloaded);
  }
}

TEST_CASE("a unit's change is an event, its first state is not") {
  Trial trial("systemd", "order.service");
  std::vector<std::string> events;
  const auto source =
      trial.spec.settings->watch(trial.world.context, [&](probe::Event event) { events.push_back(event.text); });
  const auto& tell = trial.world.systemd.watchers.begin()->second;
  os::UnitState state;
  state.active = "active";
  state.sub = "running";
  tell(state);
  tell(state);
  CHECK(events.empty());
  state.active = "failed";
  state.sub = "failed";
  state.result = "signal";
  tell(base::fail(base::Kind::unavailable, "the bus went away"));
  tell(state);
  CHECK(events == std::vector<std::string>{"order.service is failed (failed), result signal"});

  // systemd restarted it between two looks: nothing but the counter tells.
  state = os::UnitState{};
  state.active = "active";
  state.sub = "running";
  tell(state);
  state.restarts = 3;
  events.clear();
  tell(state);
  CHECK(events == std::vector<std::string>{"order.service is active (running), restarted 3 times by systemd"});
}

TEST_CASE("systemd measures result and restarts, and whether it is told of changes") {
  Trial trial("systemd", "order.service");
  const auto source = trial.spec.settings->watch(trial.world.context, [](probe::Event) {});
  const auto& tell = trial.world.systemd.watchers.begin()->second;
  const auto active = [&] {
    model::Outcome outcome = model::Outcome::success("");
    source->describe(outcome);
    return fakes::measurement(outcome, "probe_event_source_active", "source", "systemd");
  };
  CHECK(active() == 0);
  os::UnitState state{.load = "loaded", .active = "active", .sub = "running", .result = "oom-kill", .restarts = 4};
  tell(state);
  CHECK(active() == 1);
  tell(base::fail(base::Kind::unavailable, "the bus went away"));
  CHECK(active() == 0);
  trial.start();
  trial.world.systemd.reads.answer(state);
  CHECK(trial.measured("probe_systemd_unit_result", "result", "oom-kill") == 1);
  CHECK(trial.measured("probe_systemd_unit_restarts") == 4);
  CHECK(trial.found.text == "order.service is active (running), result oom-kill, restarted 4 times by systemd");
}

TEST_CASE("a unit's start is told by the clock as it is now") {
  Trial trial("systemd", "order.service");
  trial.world.loop.advance(1h);
  os::UnitState state{.load = "loaded", .active = "active", .sub = "running", .result = "success"};
  const auto micros = [](auto since) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
  };
  state.active_enter_us = micros(trial.world.loop.wall_now().time_since_epoch() - 60s) + 7;
  state.active_enter_monotonic_us = micros(trial.world.loop.now().time_since_epoch() - 60s);
  const auto age = [&] {
    trial.answers = 0;
    trial.start();
    trial.world.systemd.reads.answer(state);
    return base::seconds(trial.world.loop.wall_now()) - trial.measured("probe_systemd_unit_start_time_seconds");
  };
  CHECK(age() == doctest::Approx(60).epsilon(1e-4));
  for (const auto step : {-3'600'000ms, 7'200'000ms}) {
    trial.world.loop.jump_wall(step);
    CHECK(age() == doctest::Approx(60).epsilon(0.02));
  }
}

TEST_CASE("heartbeat is up while beats come, down when one is missing or says fail") {
  Trial trial("heartbeat", "order", {"every=1s", "grace=500ms"});
  const auto look = [&] {
    trial.start();
    trial.world.loop.run_due();
    trial.answers = 0;
    return trial.found.reason;
  };
  CHECK(look() == Reason::agent_overloaded);  // not known yet: nobody may act on it
  trial.world.loop.advance(1501ms);
  CHECK(look() == Reason::heartbeat_missed);
  CHECK(trial.found.text == "no heartbeat ever; one every 1s was promised, with a grace of 500ms");
  trial.world.heartbeats.receive("order 7 orders/s", {});
  trial.world.loop.advance(1500ms);
  CHECK(look() == Reason::none);
  CHECK(trial.found.text == "heartbeat 1s500ms ago: 7 orders/s");
  CHECK(trial.measured("probe_heartbeat_age_seconds") == doctest::Approx(1.5));
  trial.world.loop.advance(1ms);
  CHECK(look() == Reason::heartbeat_missed);
  trial.world.heartbeats.receive("order fail no stock", {});
  CHECK(look() == Reason::status_mismatch);
  CHECK(trial.found.text == "the service says that it is not well: no stock");
}

TEST_CASE("an agent that stood still blames no service for beats that it may have lost") {
  Trial trial("heartbeat", "order", {"every=1s", "grace=500ms"});
  std::vector<std::string> events;
  const auto source =
      trial.spec.settings->watch(trial.world.context, [&](probe::Event event) { events.push_back(event.text); });
  const auto look = [&] {
    trial.start();
    trial.world.loop.run_due();
    trial.answers = 0;
    return trial.found.reason;
  };
  trial.world.heartbeats.receive("order", {});
  CHECK(look() == Reason::none);
  trial.world.loop.stand_still(20s);
  CHECK(look() == Reason::agent_overloaded);
  CHECK(trial.found.text ==
        "last heartbeat 20s ago, but the agent itself stood still meanwhile; it has been listening for 0s");
  trial.world.loop.advance(1500ms);
  CHECK(look() == Reason::agent_overloaded);
  CHECK(events == std::vector<std::string>{"a beat"});
  trial.world.loop.advance(2ms);  // there was time for a beat
  CHECK(look() == Reason::heartbeat_missed);
  CHECK(events.back() == "no beat within 1s500ms");
  trial.world.heartbeats.receive("order", {});
  trial.world.loop.stand_still(300ms);  // too short for a beat to be lost
  trial.world.loop.advance(1201ms);
  CHECK(look() == Reason::heartbeat_missed);
}

TEST_CASE("a heartbeat is an event only when it changes the verdict") {
  Trial trial("heartbeat", "order", {"every=1s", "grace=500ms"});
  std::vector<std::string> events;
  const auto source =
      trial.spec.settings->watch(trial.world.context, [&](probe::Event event) { events.push_back(event.text); });
  for (int i = 0; i < 5; ++i) {
    trial.world.heartbeats.receive("order", {});
    trial.world.loop.advance(1s);
  }
  CHECK(events == std::vector<std::string>{"a beat"});
  trial.world.loop.advance(501ms);
  CHECK(events.back() == "no beat within 1s500ms");
  trial.world.loop.advance(1h);
  CHECK(events.size() == 2);
  trial.world.heartbeats.receive("order fail", {});
  trial.world.heartbeats.receive("order fail", {});
  trial.world.heartbeats.receive("order", {});
  CHECK(events == std::vector<std::string>{"a beat", "no beat within 1s500ms", "a beat that says fail", "a beat"});
}

TEST_CASE("the exit code of one run is that of a monitoring plugin") {
  CHECK(probe::nagios_exit_code(model::Outcome::success("ok")) == 0);
  CHECK(probe::nagios_exit_code(model::Outcome::failure(Reason::refused, "refused")) == 2);
  CHECK(probe::nagios_exit_code(model::Outcome::failure(Reason::agent_overloaded, "late")) == 3);
}
