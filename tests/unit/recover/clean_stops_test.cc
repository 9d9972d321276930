// An operator who stops a unit is not fought; a unit that crashed, or that a plan works on, is recovered.
#include "recover/unit_watch.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include "fakes/recovery_site.h"

using model::Health;
using recover::GuardName;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Site : fakes::RecoverySite {
  Site() { use(plan()); }
  void unit(const std::string& active, const std::string& result, const std::string& job = "", int status = 0,
            std::uint64_t run = 0) {
    unit_now = {};
    unit_now.load = "loaded";
    unit_now.active = active;
    unit_now.result = result;
    unit_now.job = job;
    unit_now.exec_main_code = status == 0 ? 0 : CLD_EXITED;
    unit_now.exec_main_status = status;
    unit_now.active_enter_us = run;
    if (!late) signal();
  }
  void signal() {
    for (const auto& [name, tell] : systemd.watchers) tell(unit_now);
  }
  void restart_once() {
    alert("ServiceDown");
    loop.advance(seconds{1});
    dispatcher->on_run("order", "http", false);
    loop.run_due();
    REQUIRE(restart.started.size() == 1);
  }
  bool late = false;  // systemd knows, and its signal is not here yet
  // A failed probe of a service whose alert fires, and a minute in which more could happen.
  void minute() {
    for (int i = 0; i < 60; ++i) {
      loop.advance(seconds{1});
      dispatcher->on_run("order", "http", false);
    }
  }
};

}  // namespace

TEST_CASE("a unit that was stopped cleanly stays stopped, until somebody starts it again and it fails") {
  Site f;
  f.unit("active", "success");
  f.unit("deactivating", "success");
  f.alert("ServiceDown");
  CHECK(f.status().reason == GuardName::stopped_by_operator);
  CHECK(f.status().guards.at(10).text == "order.service is being stopped");
  f.unit("inactive", "success");
  f.minute();
  CHECK(f.restart.started.empty());
  CHECK(f.status().next ==
        "runs systemd restart order.service once stopped_by_operator allows it: order.service was stopped cleanly, not "
        "by fettle; to have it back: systemctl start order.service, or fettle recover order");
  f.unit("activating", "success");
  f.unit("active", "success");
  f.unit("failed", "signal");
  f.loop.advance(seconds{1});
  f.dispatcher->on_run("order", "http", false);
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a unit that a plan stops and starts is the plan's own") {
  Site f;
  f.unit("failed", "signal");
  f.restart.on_start = [&] {
    f.unit("deactivating", "success");
    f.unit("inactive", "success");
  };
  f.alert("ServiceDown");
  f.loop.advance(minutes{1});
  f.dispatcher->on_run("order", "http", false);
  f.minute();
  CHECK(f.restart.started.size() >= 2);
}

TEST_CASE("a person stops the unit again while a run verifies that it is up: that is no doing of the run") {
  Site f;
  f.unit("failed", "signal", "", 0, 1);
  f.restart.on_start = [&] {
    f.unit("activating", "success", "", 0, 1);
    f.unit("active", "success", "", 0, 2);
  };
  f.restart_once();
  REQUIRE(f.status().state == model::PlanState::verifying);
  SUBCASE("a stop with a job of its own") {
    f.unit("deactivating", "success", "stop", 0, 2);
    f.unit("inactive", "success", "", 0, 2);
  }
  SUBCASE("a stop that was over before it was seen") { f.unit("inactive", "success", "", 0, 2); }
  for (int i = 0; i < 30; ++i) f.minute();
  CHECK(f.restart.started.size() == 1);
  CHECK(f.status().reason == GuardName::stopped_by_operator);
}

TEST_CASE("what the action meant to stop takes its time to end: that is the run's doing") {
  Site f;
  f.unit("active", "success", "", 0, 1);
  f.restart_once();
  REQUIRE(f.status().state == model::PlanState::verifying);
  f.unit("deactivating", "success", "", 0, 1);
  f.unit("inactive", "success", "", 0, 1);
  for (int i = 0; i < 30; ++i) f.minute();
  CHECK(f.restart.started.size() > 1);
}

TEST_CASE("a bus that is gone proves nothing, and a person may start what they stopped") {
  Site f;
  f.unit("inactive", "success");
  f.alert("ServiceDown");
  f.loop.advance(seconds{2});
  CHECK(f.restart.started.empty());
  SUBCASE("no bus") {
    f.systemd.on_read = [](const std::string&) { return base::fail(base::Kind::unavailable, "no bus"); };
    for (const auto& [name, tell] : f.systemd.watchers) tell(base::fail(base::Kind::unavailable, "no bus"));
    f.minute();
    CHECK(f.restart.started.size() >= 1);
  }
  SUBCASE("a person") {
    f.dispatcher->recover("order", recover::Start::now, "", [](base::Result<std::string>) {});
    f.loop.run_due();
    CHECK(f.restart.started.size() == 1);
  }
}

TEST_CASE("the end of a process overtakes systemd's word that somebody stopped the unit: systemd is asked") {
  struct Row {
    const char *name, *active, *result, *job, *text;
  };
  const Row rows[] = {
      {"on its way down", "deactivating", "success", "stop", "order.service is being stopped"},
      {"about to be stopped", "active", "success", "stop", "order.service is being stopped"},
      {"down already", "inactive", "success", "",
       "order.service was stopped cleanly, not by fettle; to have it back: systemctl start order.service, or fettle "
       "recover order"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Site f;
    f.unit("active", "success");
    f.late = true;
    f.unit(row.active, row.result, row.job);
    f.alert("ServiceDown");
    f.loop.run_due();
    CHECK(f.restart.started.empty());
    CHECK(f.status().reason == GuardName::stopped_by_operator);
    CHECK(f.status().guards.at(10).text == row.text);
    f.unit("inactive", "success");
    f.signal();
    f.minute();
    CHECK(f.restart.started.empty());
    CHECK(f.status().attempts_left == 3);
  }
}

TEST_CASE("a unit that crashed is recovered, whatever systemd still has to do with it") {
  struct Row {
    const char *name, *active, *result;
    int status;
  };
  const Row rows[] = {{"not noticed yet", "active", "success", 0},
                      {"its ExecStopPost runs", "deactivating", "signal", 0},
                      {"failed", "failed", "exit-code", 1}};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Site f;
    f.unit("active", "success");
    f.late = true;
    f.unit(row.active, row.result, "", row.status);
    f.alert("ServiceDown");
    f.loop.run_due();
    CHECK(f.restart.started.size() == 1);
  }
}

TEST_CASE("a stop that ends as a failure is a stop: killed at its limit, or Java's status 143") {
  Site f;
  f.unit("active", "success");
  SUBCASE("killed") {
    f.unit("deactivating", "success", "stop");
    f.unit("failed", "timeout");
    f.signal();  // once more, as when a property of no interest changes
  }
  SUBCASE("143, seen at its end only") { f.unit("failed", "exit-code", "", 143); }
  f.alert("ServiceDown");
  f.minute();
  CHECK(f.restart.started.empty());
  CHECK(f.status().reason == GuardName::stopped_by_operator);
  // Started again, it fails by itself.
  f.unit("activating", "success");
  f.unit("failed", "exit-code", "", 1);
  f.loop.advance(seconds{1});
  f.dispatcher->on_run("order", "http", false);
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a systemd that is silent says nothing: what was known before stands") {
  Site f;
  f.systemd.on_read = nullptr;
  f.unit("active", "success");
  f.alert("ServiceDown");
  f.loop.advance(milliseconds{900});
  CHECK(f.restart.started.empty());
  SUBCASE("of a unit that ran: it is recovered") {
    f.systemd.reads.answer(base::fail(base::Kind::timeout, "systemd is silent"));
    f.loop.run_due();
    CHECK(f.restart.started.size() == 1);
  }
  SUBCASE("its signal comes meanwhile, of a unit that was stopped: it is not") {
    f.unit("inactive", "success");
    f.systemd.reads.answer(base::fail(base::Kind::timeout, "systemd is silent"));
    f.loop.run_due();
    CHECK(f.status().reason == GuardName::stopped_by_operator);
    CHECK(f.restart.started.empty());
  }
  SUBCASE("not even its silence is told: acts at the limit of the look") {
    f.loop.advance(seconds{10});
    CHECK(f.restart.started.size() == 1);
  }
}

TEST_CASE("an operator who stops the unit while it is being drained has it stopped") {
  Site f;
  fakes::ActionScript drain{.takes = seconds{20}, .heals = false}, undrain{.heals = false};
  auto spec = f.plan();
  spec->steps.insert(spec->steps.begin(), fakes::scripted_step("drain", drain));
  spec->finally.push_back(fakes::scripted_step("undrain", undrain));
  f.use(std::move(spec));
  f.unit("active", "success");
  f.alert("ServiceDown");
  f.loop.advance(seconds{10});
  CHECK(drain.started.size() == 1);
  f.unit("deactivating", "success", "stop");
  f.unit("inactive", "success");
  f.minute();
  CHECK(f.restart.started.empty());
  CHECK(f.status().state == model::PlanState::holding);
  f.unit("active", "success");
  f.healthy();
  f.loop.advance(seconds{2});
  CHECK(f.restart.started.empty());
  CHECK(undrain.started.size() == 1);
  CHECK(f.status().state == model::PlanState::idle);
}
