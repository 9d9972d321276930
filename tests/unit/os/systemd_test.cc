#include "os/systemd/systemd.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "fakes/fake_systemd.h"
#include "fakes/run_until.h"

using namespace std::chrono_literals;
using State = base::Result<os::UnitState>;

namespace {

const os::UnitState kRunning{.load = "loaded",
                             .active = "active",
                             .sub = "running",
                             .result = "success",
                             .restarts = 3,
                             .main_pid = 4711,
                             .exec_main_code = 0,
                             .exec_main_status = 0,
                             .active_enter_us = 17,
                             .active_enter_monotonic_us = 18,
                             .state_change_monotonic_us = 19,
                             .control_pid = 4712,
                             .start_timeout_us = os::UnitState::kForever,
                             .restart_wait_us = 100'000,
                             .start_limit_us = 10'000'000,
                             .start_limit_burst = 5,
                             .freezer = "running",
                             .system = "running"};
const os::UnitState kFailed{.load = "loaded",
                            .active = "failed",
                            .sub = "failed",
                            .result = "signal",
                            .restarts = 4,
                            .main_pid = 0,
                            .exec_main_code = 2,
                            .exec_main_status = 9,
                            .active_enter_us = 17,
                            .active_enter_monotonic_us = 18,
                            .system = "running"};

bool have(const fakes::BusDaemon& daemon) {
  if (daemon.address.empty()) MESSAGE("skipped: no dbus-daemon here (package dbus)");
  return !daemon.address.empty();
}

struct World {
  explicit World(const std::string& address) : systemd(loop, address) {}
  loop::EventLoop loop;
  os::SdBusSystemd systemd;

  State read(const std::string& unit, base::Duration limit = 10s) {
    std::optional<State> got;
    const auto handle = systemd.read_unit(unit, loop.now() + limit, [&](State state) { got = std::move(state); });
    CHECK_FALSE(got.has_value());
    REQUIRE(fakes::run_until(loop, [&] { return got.has_value(); }));
    return *std::move(got);
  }
  base::Result<std::string> job(const std::string& verb, base::Duration limit = 10s) {
    std::optional<base::Result<std::string>> got;
    const auto handle = systemd.run_job(verb, "order.service", loop.now() + limit,
                                        [&](base::Result<std::string> result) { got = std::move(result); });
    CHECK_FALSE(got.has_value());
    REQUIRE(fakes::run_until(loop, [&] { return got.has_value(); }));
    return *std::move(got);
  }
};

}  // namespace

TEST_CASE("a unit's state is read whole, and a unit that is not there is an error") {
  const fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  fakes::FakeSystemd manager(daemon.address);
  manager.set("order.service", kRunning);
  manager.set("shop.slice", {.load = "loaded", .active = "active", .sub = "active", .result = "ignored"});
  World world(daemon.address);
  const auto state = world.read("order.service");
  REQUIRE(state.has_value());
  CHECK(*state == kRunning);
  CHECK(world.read("shop.slice")->result.empty());
  const auto missing = world.read("nobody.service");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().kind == base::Kind::not_found);
  CHECK(missing.error().text == "systemd knows no unit nobody.service");
}

TEST_CASE("a unit that somebody is stopping shows the job, and one whose job has just ended shows none") {
  fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  fakes::FakeSystemd manager(daemon.address);
  World world(daemon.address);
  for (const auto& row : {std::pair{"stop", "stop"}, {"restart", "restart"}, {"gone", ""}, {"", ""}}) {
    const auto& [job, want] = row;
    CAPTURE(row.first);
    os::UnitState state = kRunning;
    state.job = job;
    manager.set("order.service", state);
    const State got = world.read("order.service");
    REQUIRE(got.has_value());
    CHECK(got->job == want);
    CHECK(got->main_pid == 4711);
  }
}

TEST_CASE("a watcher hears the state now and each change once") {
  const fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  fakes::FakeSystemd manager(daemon.address);
  manager.set("order.service", kRunning);
  World world(daemon.address);
  std::vector<os::UnitState> heard, late;
  const auto watch = world.systemd.watch_unit("order.service", [&](const State& state) { heard.push_back(*state); });
  REQUIRE(fakes::run_until(world.loop, [&] { return heard.size() == 1; }));
  const auto second = world.systemd.watch_unit("order.service", [&](const State& state) { late.push_back(*state); });
  REQUIRE(fakes::run_until(world.loop, [&] { return late.size() == 1; }));
  manager.set("order.service", kRunning);  // a signal without a change
  manager.set("order.service", kFailed);
  REQUIRE(fakes::run_until(world.loop, [&] { return heard.back() == kFailed && late.back() == kFailed; }));
  CHECK(heard.front() == kRunning);
  // The properties are read one by one: a change between two of them shows as a mixture once, and never as a
  // repetition.
  CHECK(heard.size() <= 3);
  CHECK(std::adjacent_find(heard.begin(), heard.end()) == heard.end());
}

TEST_CASE("a job is told when it ended, also when its end overtakes the reply") {
  const fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  fakes::FakeSystemd manager(daemon.address);
  World world(daemon.address);
  for (const char* result : {"done", "failed", "timeout", "dependency", "canceled"}) {
    CAPTURE(result);
    manager.jobs_end(result);
    CHECK(*world.job("restart") == result);
  }
  CHECK(*world.job("reset-failed") == "done");
  CHECK(manager.calls().ends_with("RestartUnit order.service fail\nResetFailedUnit order.service \n"));
  const auto send = [&world] {
    std::optional<base::Result<>> sent;
    const auto handle =
        world.systemd.signal_unit("order.service", os::Systemd::Whom::all, SIGSTOP, world.loop.now() + 5s,
                                  [&](base::Result<> answer) { sent = std::move(answer); });
    REQUIRE(fakes::run_until(world.loop, [&] { return sent.has_value(); }));
    return *sent;
  };
  CHECK(send().has_value());
  CHECK(manager.calls().ends_with("KillUnit order.service all 19\n"));
  manager.jobs_end("refuse");
  CHECK(send().error().kind == base::Kind::permission);
  const auto refused = world.job("stop");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == base::Kind::permission);
  CHECK(refused.error().text ==
        "systemd refused to stop order.service: Permission denied; a polkit rule for "
        "org.freedesktop.systemd1.manage-units must allow this unit and verb");
  manager.jobs_end("destructive");
  const auto second = world.job("restart");
  CHECK(second.error().kind == base::Kind::cancelled);
  CHECK(second.error().text == "systemd refused to restart order.service: 'stop' job queued");
  manager.jobs_end("hang");
  const auto hung = world.job("start", 20ms);
  CHECK(hung.error().kind == base::Kind::timeout);
  CHECK(hung.error().text == "systemd did not end start order.service in time; the job goes on");
  CHECK(world.job("mend").error().text == "systemd has no verb 'mend' for units");
}

TEST_CASE("a job that the shutdown of the node pushes aside has no end before its deadline") {
  const fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  fakes::FakeSystemd manager(daemon.address);
  manager.shut_down();
  World world(daemon.address);
  for (const char* result : {"canceled", "canceled", "destructive"}) {
    CAPTURE(result);
    manager.jobs_end(result);
    const auto job = world.job("restart", 300ms);
    REQUIRE_FALSE(job.has_value());
    CHECK(job.error().kind == base::Kind::cancelled);
    CHECK(job.error().text == "the node shuts down; restart order.service was taken away");
  }
  manager.jobs_end("failed");  // that a unit failed stays true
  CHECK(*world.job("restart") == "failed");
}

TEST_CASE("a job that loses its bus waits until systemd says whether the node goes down with it") {
  fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  std::optional<base::Result<std::string>> got;
  World world(daemon.address);
  // Under way when the bus goes; what became of it after that, nobody has seen.
  const auto job_without_bus = [&](base::Duration limit) {
    auto manager = std::make_unique<fakes::FakeSystemd>(daemon.address);
    manager->jobs_end("hang");
    got.reset();
    auto handle = world.systemd.run_job("restart", "order.service", world.loop.now() + limit,
                                        [&](base::Result<std::string> result) { got = std::move(result); });
    REQUIRE(fakes::run_until(world.loop, [&] { return !manager->calls().empty(); }));
    CHECK(*world.job("reset-failed") == "done");  // the reply that names the job has been read, too
    daemon.stop();
    return handle;
  };
  {
    const auto handle = job_without_bus(10s);
    daemon.start();
    const fakes::FakeSystemd manager(daemon.address);
    REQUIRE(fakes::run_until(world.loop, [&] { return got.has_value(); }));
    CHECK(got->error().kind == base::Kind::unavailable);
    CHECK(got->error().text ==
          "the connection to systemd was lost during restart order.service; how it ended is not known");
  }
  {
    const auto handle = job_without_bus(1s);
    daemon.start();
    fakes::FakeSystemd manager(daemon.address);
    manager.shut_down();
    REQUIRE(fakes::run_until(world.loop, [&] { return got.has_value(); }));
    CHECK(got->error().kind == base::Kind::cancelled);
    CHECK(got->error().text == "the node shuts down; restart order.service was taken away");
  }
  const auto handle = job_without_bus(500ms);
  REQUIRE(fakes::run_until(world.loop, [&] { return got.has_value(); }));
  CHECK(got->error().kind == base::Kind::unavailable);
}

TEST_CASE("without a bus a watch says so once and goes on trying") {
  fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  daemon.stop();
  World world(daemon.address);
  CHECK(world.read("order.service").error().kind == base::Kind::unavailable);
  CHECK(world.job("start").error().kind == base::Kind::unavailable);
  std::vector<std::string> heard;
  const auto watch = world.systemd.watch_unit("order.service", [&](const State& state) {
    heard.push_back(state ? state->active : std::string(base::to_string(state.error().kind)));
  });
  REQUIRE(fakes::run_until(world.loop, [&] { return heard.size() == 1; }));
  daemon.start();
  {
    fakes::FakeSystemd manager(daemon.address);
    manager.set("order.service", kRunning);
    REQUIRE(fakes::run_until(world.loop, [&] { return heard.size() >= 2 && heard.back() == "active"; }));
    daemon.stop();
    REQUIRE(fakes::run_until(world.loop, [&] { return heard.back() == "unavailable"; }));
  }
  daemon.start();
  fakes::FakeSystemd manager(daemon.address);
  manager.set("order.service", kFailed);
  CHECK(fakes::run_until(world.loop, [&] { return heard.back() == "failed"; }));
}

TEST_CASE("dropped Handles are silent, also inside a callback") {
  const fakes::BusDaemon daemon;
  if (!have(daemon)) return;
  fakes::FakeSystemd manager(daemon.address);
  manager.set("order.service", kRunning);
  World world(daemon.address);
  int told = 0;
  loop::Handle self, other, job;
  self = world.systemd.watch_unit("order.service", [&](const State&) {
    self.reset();
    other.reset();
    ++told;
  });
  other = world.systemd.watch_unit("order.service", [&](const State&) { told += 100; });
  job = world.systemd.run_job("start", "order.service", world.loop.now() + 10s, [&](auto) { told += 100; });
  job.reset();
  REQUIRE(fakes::run_until(world.loop, [&] { return told > 0; }));
  CHECK(world.read("order.service").has_value());
  CHECK(told == 1);
}

TEST_CASE("the watchdog's interval is half of what systemd asks for") {
  ::unsetenv("WATCHDOG_USEC");
  CHECK(os::watchdog_interval() == 0ms);
  ::setenv("WATCHDOG_USEC", "2000000", 1);
  CHECK(os::watchdog_interval() == 1s);
  ::unsetenv("WATCHDOG_USEC");
}
