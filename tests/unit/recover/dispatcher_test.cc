#include "recover/dispatcher.h"

#include <doctest/doctest.h>

#include "fakes/recovery_site.h"

using model::AlertState;
using model::Health;
using recover::GuardName;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

using Fixture = fakes::RecoverySite;

}  // namespace

TEST_CASE("from alert to action no time passes, and the intent is durable before") {
  Fixture f;
  f.use(f.plan());
  f.restart.on_start = [&] {
    CHECK(f.table(state::Table::intents).count("order") == 1);
    CHECK(f.table(state::Table::budgets).at("order").find("\"attempts_ms\":[1700000000000]") != std::string::npos);
  };
  f.alert("ServiceDown");
  CHECK(f.restart.started.empty());
  f.loop.run_due();
  CHECK(f.restart.started == std::vector<std::string>{"order attempt 1"});
  f.loop.advance(milliseconds{50});
  CHECK(f.status().state == model::PlanState::verifying);
  f.healthy();
  f.loop.run_due();
  CHECK(f.said == std::vector<std::string>{"report acting", "order systemd restart order.service ok enforce",
                                           "report verifying", "report recovered"});
  CHECK(f.status().state == model::PlanState::idle);
  CHECK(f.status().attempts_left == 2);
  CHECK(f.table(state::Table::intents).empty());
  REQUIRE(f.dispatcher->reports().size() == 1);
  const model::RecoveryReport report = f.dispatcher->reports()[0];
  CHECK(report.trigger == "alert ServiceDown");
  CHECK(report.attempt == 1);
  CHECK(report.ended.has_value());
  REQUIRE(report.actions.size() == 1);
  CHECK(report.actions[0].took == milliseconds{50});
}

TEST_CASE("an alert starts a plan only if it is the one of `when` and of this service") {
  Fixture f;
  f.use(f.plan());
  f.alert("ServiceSlow");
  f.dispatcher->on_alert(fakes::transition("ServiceDown", "payment", f.loop.wall_now()));
  auto pending = fakes::transition("ServiceDown", "order", f.loop.wall_now());
  pending.alert.state = AlertState::pending;
  f.dispatcher->on_alert(pending);
  f.loop.advance(seconds{10});
  CHECK(f.restart.started.empty());
  CHECK(f.said.empty());
}

TEST_CASE("dry run passes through the same states, touches nothing and keeps records of its own") {
  Fixture f;
  f.use(f.plan(model::RecoveryMode::dry_run));
  f.alert("ServiceDown");
  f.loop.run_due();
  f.healthy();
  f.loop.run_due();
  CHECK(f.restart.started.empty());
  CHECK(f.said == std::vector<std::string>{"report acting", "order systemd restart order.service would_run dry_run",
                                           "report verifying", "report recovered"});
  CHECK(f.status().attempts_left == 3);
  CHECK(f.table(state::Table::budgets).count("order") == 0);
  CHECK(f.dispatcher->reports()[0].actions[0].text == "dry run: systemd restart order.service was not carried out");
  // Enforced later, the whole budget is there.
  f.use(f.plan());
  CHECK(f.status().attempts_left == 3);
}

TEST_CASE("a dry run tells once for each outage what it would do; it is neither failed nor exhausted, however often") {
  Fixture f;
  auto spec = f.plan(model::RecoveryMode::dry_run);
  spec->budget.attempts = 1;
  spec->guards.cooldown = base::Millis{0};
  f.use(std::move(spec));
  for (int outage = 1; outage <= 4; ++outage) {
    CAPTURE(outage);
    f.service_view.health["order"] = Health::down;
    f.alert("ServiceDown");
    for (int i = 0; i < 120; ++i) {
      f.loop.advance(seconds{1});
      f.dispatcher->on_run("order", "http", false);
    }
    const auto reports = f.dispatcher->reports();
    CHECK(reports.size() == static_cast<std::size_t>(outage));
    CHECK(reports.at(0).state == model::RecoveryState::would_run);
    CHECK(reports.at(0).actions.size() == 1);
    CHECK(f.status().state == model::PlanState::idle);
    CHECK(f.status().attempts_left == 1);
    f.healthy();
    f.loop.run_due();
  }
  CHECK(f.pages.empty());
}

TEST_CASE("a latch that dry runs of an older version left is open") {
  Fixture f;
  f.state.commit({state::Change::put(state::Table::budgets, "dry_run:order",
                                     R"({"failures":3,"exhausted":true,"attempts_ms":[1700000000000]})")},
                 [](base::Result<>) {});
  f.loop.run_due();
  f.start();
  f.use(f.plan(model::RecoveryMode::dry_run));
  CHECK(f.status().state == model::PlanState::idle);
  f.alert("ServiceDown");
  f.loop.run_due();
  CHECK(f.dispatcher->reports().at(0).actions.at(0).result == model::ActionStatus::would_run);
}

TEST_CASE("exhaustion is paged once with what to do") {
  Fixture f;
  auto spec = f.plan();
  spec->budget.attempts = 1;
  f.use(std::move(spec));
  f.alert("ServiceDown");
  f.loop.advance(minutes{20});
  CHECK(f.pages == std::vector<std::string>{"order: Recovery exhausted. order: attempt 1 of 1 failed and was the last "
                                            "one within 15m; fettle stops acting until it was healthy for 10m"});
  CHECK(f.status().reason == GuardName::exhausted);
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("ask does nothing and says how it is approved") {
  Fixture f;
  f.use(f.plan(model::RecoveryMode::ask));
  f.alert("ServiceDown");
  f.loop.advance(minutes{1});
  CHECK(f.restart.started.empty());
  CHECK(f.said == std::vector<std::string>{"order blocked ask", "report blocked"});
  CHECK(f.status().state == model::PlanState::blocked);
  CHECK(f.status().next ==
        "runs systemd restart order.service once ask allows it: mode is ask: fettle recover order approves");
}

TEST_CASE("maintenance may end by health, once the service has been up for long enough since it began") {
  Fixture f;
  f.use(f.plan());
  f.dispatcher->begin_maintenance("order", {{}, std::chrono::minutes{10}}, "deploy", nullptr);
  f.loop.run_due();
  CHECK(f.dispatcher->maintenance("order") == "deploy, until it has been healthy for 10m");
  std::optional<base::WallTime> up_since = f.loop.wall_now() - std::chrono::hours{1};
  const auto on = [&] {
    f.dispatcher->end_maintenance_where_healthy([&](const std::string&) { return up_since; });
    f.loop.run_due();
    return f.dispatcher->maintenance("order").has_value();
  };
  f.loop.advance(std::chrono::minutes{10} - std::chrono::milliseconds{1});
  CHECK(on());
  up_since.reset();
  f.loop.advance(std::chrono::minutes{5});
  CHECK(on());
  up_since = f.loop.wall_now();
  f.loop.advance(std::chrono::minutes{10});
  CHECK_FALSE(on());
}

TEST_CASE("maintenance is durable, holds a plan back and lets it act when it ends") {
  Fixture f;
  f.use(f.plan());
  bool done = false;
  f.dispatcher->begin_maintenance("order", {}, "deploy", [&](base::Result<std::string> r) { done = r.has_value(); });
  f.loop.run_due();
  CHECK(done);
  CHECK(f.dispatcher->maintenance("order") == "deploy");
  f.alert("ServiceDown");
  f.loop.advance(minutes{5});
  CHECK(f.restart.started.empty());
  CHECK(f.status().reason == GuardName::maintenance);
  f.dispatcher->end_maintenance("order", nullptr);
  f.loop.run_due();
  CHECK(f.service_view.probed == std::vector<std::string>{"order", "redis"});
  f.dispatcher->on_run("order", "http", false);
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a dependency that comes back lets the plan act at once") {
  Fixture f;
  f.service_view.health["redis"] = Health::down;
  f.use(f.plan());
  f.alert("ServiceDown");
  CHECK(f.status().reason == GuardName::dependencies);
  f.service_view.health["redis"] = Health::up;
  f.dispatcher->on_health({"redis", "", Health::down, Health::up, model::Reason::none, "", f.loop.wall_now()});
  f.dispatcher->on_run("order", "http", false);
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a waiting alert survives a crash of the agent") {
  Fixture f;
  f.service_view.health["redis"] = Health::down;
  f.use(f.plan());
  f.alert("ServiceDown");
  f.loop.run_due();
  f.dispatcher.reset();
  f.service_view.health["redis"] = Health::up;
  f.start();
  f.use(f.plan());  // nobody says again that the alert fires
  f.loop.advance(seconds{11});
  f.dispatcher->on_run("order", "http", false);
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a reload that takes the plan away stops its run; the plan goes when the action has ended") {
  Fixture f;
  f.use(f.plan());
  f.alert("ServiceDown");
  f.loop.run_due();
  f.use(nullptr);
  CHECK(f.dispatcher->statuses().size() == 1);
  f.loop.advance(milliseconds{50});
  f.healthy();
  f.loop.run_due();
  CHECK(f.dispatcher->statuses().empty());
  CHECK(f.dispatcher->reports()[0].state == model::RecoveryState::aborted);
  CHECK(f.dispatcher->reports()[0].reason == "its plan is not configured any more");
}

TEST_CASE("a plan that a reload brings acts on an alert that fires already") {
  Fixture f;
  f.use(nullptr);
  f.alert("ServiceDown");
  f.use(f.plan());
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("an unfinished run whose plan is not configured any more is closed and reported") {
  Fixture f;
  f.use(f.plan());
  f.alert("ServiceDown");
  f.loop.run_due();
  f.dispatcher.reset();
  f.said.clear();
  f.start();
  f.use(nullptr);
  f.loop.run_due();
  CHECK(f.said == std::vector<std::string>{"report aborted"});
  CHECK(f.table(state::Table::intents).empty());
}

TEST_CASE("an unreadable budget counts as used up, an unreadable intent is removed") {
  Fixture f;
  f.state.commit({state::Change::put(state::Table::budgets, "order", "{"),
                  state::Change::put(state::Table::intents, "order", "[]")},
                 [](base::Result<>) {});
  f.loop.run_due();
  f.start();
  f.use(f.plan());
  f.alert("ServiceDown");
  f.loop.advance(minutes{1});
  CHECK(f.restart.started.empty());
  CHECK(f.status().state == model::PlanState::exhausted);
  CHECK(f.table(state::Table::intents).empty());
}

TEST_CASE("an action that never answers is given up 15s after its deadline") {
  Fixture f;
  f.restart.takes = std::chrono::hours{5};
  f.use(f.plan());
  f.alert("ServiceDown");
  f.loop.advance(seconds{74});
  CHECK(f.status().state == model::PlanState::acting);
  f.loop.advance(seconds{1});
  REQUIRE_FALSE(f.dispatcher->reports().empty());
  CHECK(f.dispatcher->reports()[0].actions.at(0).result == model::ActionStatus::timeout);
}

TEST_CASE("a full disk keeps a plan from acting and says so") {
  Fixture f;
  f.use(f.plan());
  f.state.failing = true;
  f.alert("ServiceDown");
  f.loop.advance(seconds{5});
  CHECK(f.restart.started.empty());
  CHECK(f.said == std::vector<std::string>{"order blocked state"});
  f.state.failing = false;
  f.loop.advance(seconds{1});
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("status says what would happen next and when") {
  Fixture f;
  f.use(f.plan());
  CHECK(f.status().next == "when alert is ServiceDown fires, runs systemd restart order.service");
  f.service_view.uptime = seconds{10};
  f.alert("ServiceDown");
  CHECK(f.status().next ==
        "runs systemd restart order.service once min_uptime allows it: started 10s ago, may take 30s to get ready, 20s "
        "to go");
  CHECK(f.status().not_before == f.loop.wall_now() + seconds{20});
}
