// An operator who stops a unit is not fought; a unit that crashed, or that a plan works on, is recovered.
#include "recover/clean_stops.h"

#include <doctest/doctest.h>

#include "fakes/recovery_site.h"

using model::Health;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Site : fakes::RecoverySite {
  Site() { use(plan()); }
  void unit(const std::string& active, const std::string& result) {
    loop::UnitState unit_state;
    unit_state.load = "loaded";
    unit_state.active = active;
    unit_state.result = result;
    for (const auto& [name, tell] : systemd.watchers) tell(unit_state);
  }
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
  CHECK(f.status().reason == "stopped_by_operator");
  CHECK(f.status().gates.at(9).text == "order.service is being stopped");
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

TEST_CASE("a bus that is gone proves nothing, and a person may start what they stopped") {
  Site f;
  f.unit("inactive", "success");
  f.alert("ServiceDown");
  f.loop.advance(seconds{2});
  CHECK(f.restart.started.empty());
  SUBCASE("no bus") {
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
