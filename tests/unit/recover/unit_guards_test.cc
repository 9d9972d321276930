// What systemd is doing with a unit holds plans back: what is starting, has a job, is masked or is not there.
#include "recover/plan/unit_guards.h"

#include <doctest/doctest.h>

#include <functional>

#include "fakes/recovery_site.h"

using model::Health;
using recover::GuardName;
using recover::UnitView;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const base::Instant kNow{std::chrono::hours{10}};

UnitView view_of(const std::string& active, const std::string& sub) {
  UnitView view{"order.service", UnitView::Known::loaded};
  view.state = {.load = "loaded", .active = active, .sub = sub, .result = "success"};
  view.state.start_timeout_us = 90'000'000;
  view.state.system = "running";
  return view;
}

struct Site : fakes::RecoverySite {
  Site() {
    unit_now.start_timeout_us = 90'000'000;
    unit_now.system = "running";
    use(plan());
  }
  // systemd tells of a change.
  void unit(const std::string& active, const std::string& sub, const std::string& job = "") {
    unit_now.active = active;
    unit_now.sub = sub;
    unit_now.result = active == "failed" ? "signal" : "success";
    unit_now.job = job;
    signal();
  }
  void signal() {
    for (const auto& [name, tell] : systemd.watchers) tell(unit_now);
    loop.run_due();
  }
  // Seconds in which every probe fails.
  void fail_for(base::Duration d) {
    for (const auto end = loop.now() + d; loop.now() < end;) {
      loop.advance(seconds{1});
      if (service_view.uptime) *service_view.uptime += seconds{1};
      dispatcher->on_run("order", "http", false);
      loop.run_due();
    }
  }
};

}  // namespace

TEST_CASE("the guards of a unit: which is closed, why, and when it opens") {
  struct Row {
    const char* name;
    UnitView view;
    const char* closed;
    const char* text;
    std::optional<base::Duration> opens_in;
  };
  UnitView starting = view_of("activating", "start-pre");
  starting.starting_since = kNow - seconds{12};
  UnitView late = starting;
  late.starting_since = kNow - seconds{91};
  UnitView for_ever = starting;
  for_ever.state.start_timeout_us = os::UnitState::kForever;
  UnitView reloading = view_of("reloading", "reload");
  reloading.starting_since = kNow;
  UnitView by_itself = view_of("activating", "auto-restart");
  by_itself.starting_since = kNow - seconds{2};
  by_itself.state.restart_wait_us = 30'000'000;
  by_itself.looping_since = kNow - seconds{2};
  UnitView in_vain = by_itself;
  in_vain.looping_since = kNow - seconds{95};
  UnitView queued = view_of("inactive", "dead");
  queued.state.job = "start";
  queued.job_since = kNow - seconds{30};
  UnitView masked = view_of("failed", "failed");
  masked.state.load = "masked";
  UnitView down = view_of("active", "running");
  down.state.system = "stopping";
  const Row rows[] = {
      {"running", view_of("active", "running"), "", "", {}},
      {"nothing is known", UnitView{"order.service"}, "", "", {}},
      {"not there",
       UnitView{"order.service", UnitView::Known::missing},
       "unit_missing",
       "systemd knows no unit order.service; see: systemctl list-unit-files",
       {}},
      {"starting", starting, "unit_starting",
       "order.service is activating (start-pre), which TimeoutStartSec lets take 1m30s, 1m19s to go", seconds{79}},
      {"starting for too long", late, "", "", {}},
      {"starting without a limit",
       for_ever,
       "unit_starting",
       "order.service is activating (start-pre), for 12s now, and TimeoutStartSec=infinity lets it",
       {}},
      {"reloading", reloading, "unit_starting",
       "order.service is reloading (reload), which TimeoutStartSec lets take 1m30s, 1m31s to go", seconds{91}},
      {"systemd's own restart", by_itself, "unit_starting",
       "order.service is activating (auto-restart): systemd starts it again by itself, which RestartSec lets take 30s, "
       "29s to go",
       seconds{29}},
      {"systemd's own restarts, in vain", in_vain, "", "", {}},
      {"a job that waits", queued, "unit_job",
       "systemd has a start job for order.service, which TimeoutStartSec lets take 1m30s, 1m1s to go", seconds{61}},
      {"masked",
       masked,
       "unit_masked",
       "order.service is masked, so nobody may start it; to allow it: systemctl unmask order.service",
       {}},
      {"the node goes down", down, "node_stopping", "the node shuts down", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto guards = recover::unit_guards(row.view, recover::Needed::yes, kNow);
    const recover::Guard* closed = recover::first_closed(guards);
    CHECK(to_string(closed ? closed->name : GuardName::none) == row.closed);
    CHECK((closed ? closed->text : "") == row.text);
    const auto opens = closed ? closed->opens : std::nullopt;
    CHECK(opens.has_value() == row.opens_in.has_value());
    if (opens && row.opens_in) CHECK(*opens == kNow + *row.opens_in);
  }
}

TEST_CASE("a unit that is not there closes only plans that need it, and is told before any incident") {
  const UnitView missing{"order.service", UnitView::Known::missing};
  CHECK(recover::first_closed(recover::unit_guards(missing, recover::Needed::no, kNow)) == nullptr);
  for (const bool needed : {false, true}) {
    CAPTURE(needed);
    Site f;
    if (needed) f.restart.unit = "order.service";
    f.use(f.plan());
    for (const auto& [name, tell] : f.systemd.watchers)
      tell(base::fail(base::Kind::not_found, "systemd knows no unit order.service"));
    f.systemd.on_read = [](const std::string& unit) -> base::Result<os::UnitState> {
      return base::fail(base::Kind::not_found, "systemd knows no unit " + unit);
    };
    std::string told;
    for (const recover::Guard& guard : f.status().guards)
      if (guard.name == GuardName::unit_missing) told = guard.text;
    CHECK(told == "systemd knows no unit order.service; see: systemctl list-unit-files");
    f.alert("ServiceDown");
    f.loop.advance(seconds{1});
    CHECK(f.restart.started.size() == (needed ? 0 : 1));
    CHECK(f.status().reason == (needed ? GuardName::unit_missing : GuardName::none));
  }
}

TEST_CASE("a slow start that an operator asked for is not ended; after the unit's own time it is") {
  for (const char* state : {"activating", "reloading", "refreshing"}) {
    CAPTURE(state);
    Site f;
    f.unit("active", "running");
    f.unit(state, "start-pre");
    f.alert("ServiceDown");
    f.fail_for(seconds{89});
    CHECK(f.restart.started.empty());
    CHECK(f.status().reason == GuardName::unit_starting);
    f.fail_for(seconds{5});
    CHECK(f.restart.started.size() == 1);
  }
}

TEST_CASE("each command of a start has the unit's time for itself") {
  Site f;
  f.unit("activating", "start-pre");
  f.unit_now.control_pid = 100;
  f.signal();
  f.alert("ServiceDown");
  f.fail_for(seconds{60});
  f.unit_now.control_pid = 101;  // the second ExecStartPre=
  f.signal();
  f.fail_for(seconds{60});
  CHECK(f.restart.started.empty());
  f.fail_for(seconds{35});
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a start that fails before its time is over lets the plan act at once") {
  Site f;
  f.unit("activating", "start");
  f.alert("ServiceDown");
  f.fail_for(seconds{5});
  REQUIRE(f.restart.started.empty());
  f.unit("failed", "failed");
  f.fail_for(seconds{2});
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("what systemd says only when it is asked holds the restart back, too") {
  Site f;
  f.unit_now = {.load = "loaded", .active = "activating", .sub = "start-pre", .result = "success"};
  f.alert("ServiceDown");  // no signal has come
  f.fail_for(seconds{10});
  CHECK(f.restart.started.empty());
  CHECK(f.status().reason == GuardName::unit_starting);
}

TEST_CASE("somebody's queued job, a mask, a frozen unit and a shutdown are respected") {
  struct Row {
    const char* name;
    std::function<void(os::UnitState&)> change;
    const char* reason;
  };
  const Row rows[] = {
      {"queued reload", [](os::UnitState& s) { s.job = "reload"; }, "unit_job"},
      {"queued start", [](os::UnitState& s) { s.active = "inactive", s.job = "start"; }, "unit_job"},
      {"masked", [](os::UnitState& s) { s.load = "masked"; }, "unit_masked"},
      {"frozen", [](os::UnitState& s) { s.active = "active", s.freezer = "frozen"; }, "stopped_by_operator"},
      {"shutdown", [](os::UnitState& s) { s.system = "stopping"; }, "node_stopping"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Site f;
    f.unit("failed", "failed");
    row.change(f.unit_now);
    f.signal();
    f.alert("ServiceDown");
    f.fail_for(seconds{30});
    CHECK(f.restart.started.empty());
    CHECK(to_string(f.status().reason) == row.reason);
    f.unit_now.load = "loaded";
    f.unit_now.freezer = "running";
    f.unit_now.system = "running";
    f.unit("failed", "failed");
    f.fail_for(seconds{5});
    CHECK(f.restart.started.size() == 1);
  }
}

TEST_CASE("the unit of the step counts where it is not the service's own") {
  Site f;
  f.use(nullptr);
  f.systemd.watchers.clear();
  auto spec = f.plan();
  spec->unit.clear();
  f.restart.unit = "order-core.service";
  f.use(std::move(spec));
  f.unit("activating", "start-pre");
  f.alert("ServiceDown");
  f.fail_for(seconds{10});
  CHECK(f.restart.started.empty());
  CHECK(f.status().reason == GuardName::unit_starting);
}

TEST_CASE("a later step waits while the unit that the first one restarted is still starting") {
  Site f;
  fakes::ActionScript harder;
  auto spec = f.plan();
  spec->steps.push_back(fakes::scripted_step("restart harder", harder));
  f.use(std::move(spec));
  f.unit("failed", "failed");
  f.restart.result = {model::ActionStatus::timeout, "the job goes on"};
  f.restart.on_start = [&] { f.unit_now.active = "activating", f.unit_now.sub = "start"; };
  f.alert("ServiceDown");
  f.fail_for(seconds{2});
  REQUIRE(f.restart.started.size() == 1);
  f.signal();
  f.fail_for(seconds{60});
  CHECK(harder.started.empty());
  CHECK(f.status().state == model::PlanState::holding);
  CHECK(f.status().next.find("unit_starting") != std::string::npos);
  SUBCASE("it comes up: the step is not needed") {
    f.unit("active", "running");
    f.healthy();
    f.dispatcher->on_run("order", "http", true);
    f.loop.run_due();
    CHECK(harder.started.empty());
    CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::recovered);
  }
  SUBCASE("its time is over: the step follows") {
    f.fail_for(seconds{40});
    CHECK(harder.started.size() == 1);
  }
}

TEST_CASE("a service that needs 45 s to listen is restarted once and not again and again") {
  Site f;
  f.unit("failed", "failed");
  f.restart.on_start = [&] { f.service_view.uptime = base::Duration{}; };  // Type=exec: started at once
  for (const bool configured : {false, true}) {
    CAPTURE(configured);
    f.restart.started.clear();
    f.service_view.uptime.reset();
    f.start();
    auto spec = f.plan();
    if (configured) spec->guards.min_uptime = seconds{30};
    f.use(std::move(spec));
    f.unit("active", "running");
    f.alert("ServiceDown");
    f.fail_for(seconds{45});
    CHECK(f.restart.started.size() == 1);
    f.fail_for(seconds{10});
    CHECK(f.restart.started.size() == 1);
  }
}

TEST_CASE(
    "an operator's restart of a service that needs 45 s to listen is left alone, if min_uptime is not configured") {
  Site f;
  f.unit("active", "running");
  f.service_view.uptime = seconds{0};
  f.alert("ServiceDown");
  f.fail_for(seconds{45});
  CHECK(f.restart.started.empty());
  CHECK(f.status().reason == GuardName::min_uptime);
  f.dispatcher->on_run("order", "http", true);  // ready, and then it hangs
  f.fail_for(seconds{3});
  CHECK(f.restart.started.size() == 1);
}
