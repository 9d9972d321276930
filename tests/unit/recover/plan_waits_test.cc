// What a plan waits for beside its guards: a person who approves, a dependency that is the suspect, health that
// settles.
#include <doctest/doctest.h>

#include "fakes/recovery_site.h"

using model::Health;
using recover::GuardName;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Asking final : recover::Action {
  loop::Handle run(const recover::Context&, const recover::Trigger&, base::Instant,
                   std::function<void(recover::ActionResult)>) const override {
    return {};
  }
  std::string text() const override { return "ask"; }
  bool may_heal() const override { return false; }
  bool waits_for_person() const override { return true; }
};

struct Site : fakes::RecoverySite {
  fakes::ActionScript drain{.heals = false}, undrain{.heals = false}, second;

  std::unique_ptr<recover::PlanSpec> draining(model::RecoveryMode mode = model::RecoveryMode::enforce) {
    auto spec = plan(mode);
    spec->steps.insert(spec->steps.begin(), fakes::scripted_step("drain", drain));
    spec->finally.push_back(fakes::scripted_step("undrain", undrain));
    return spec;
  }
  // Probes each second, as bad as the service is.
  void pass(base::Duration d) {
    for (const auto end = loop.now() + d; loop.now() < end;) {
      loop.advance(seconds{1});
      dispatcher->on_run("order", "http", service_view.health["order"] == Health::up);
    }
    loop.run_due();
  }
  void turn(const std::string& service, Health to) {
    const Health from = std::exchange(service_view.health[service], to);
    dispatcher->on_health({service, "", from, to, model::Reason::none, "", loop.wall_now()});
    loop.run_due();
  }
  std::string recover_by_hand() {
    std::string text;
    dispatcher->recover("order", recover::Start::now, "alice",
                        [&](base::Result<std::string> r) { text = r ? *r : r.error().text; });
    loop.run_due();
    return text;
  }
};

}  // namespace

TEST_CASE("mode ask pages once with the command to type, and acts when it was typed") {
  Site f;
  f.use(f.plan(model::RecoveryMode::ask));
  f.alert("ServiceDown");
  f.pass(minutes{5});
  CHECK(f.pages ==
        std::vector<std::string>{"order: order: recovery waits for a person (alert ServiceDown). It would run "
                                 "systemd restart order.service. To approve, within 30m: fettle recover order"});
  CHECK(f.restart.started.empty());
  f.recover_by_hand();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("an approval that does not come ends the asking, not the possibility") {
  Site f;
  f.use(f.plan(model::RecoveryMode::ask));
  f.alert("ServiceDown");
  f.pass(minutes{31});
  CHECK(f.pages.size() == 1);
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::aborted);
  CHECK(f.dispatcher->reports().at(0).reason == "no approval came within 30m");
  CHECK(f.status().reason == GuardName::ask);
  f.recover_by_hand();
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a step that asks waits for a person; without an answer the next step does not come") {
  for (const bool answered : {true, false}) {
    CAPTURE(answered);
    Site f;
    auto spec = f.plan();
    spec->steps.insert(spec->steps.begin(),
                       recover::Step{"ask", std::make_unique<Asking>(), minutes{10}, recover::OnFailure::escalate, {}});
    f.use(std::move(spec));
    f.alert("ServiceDown");
    f.loop.run_due();
    CHECK(f.status().state == model::PlanState::asking);
    CHECK(f.status().next == "waits for a person: fettle recover order approves");
    CHECK(f.pages.size() == 1);
    if (answered) CHECK(f.recover_by_hand().find("goes on") != std::string::npos);
    else f.pass(minutes{11});
    CHECK(f.restart.started.size() == (answered ? 1 : 0));
    const auto report = f.dispatcher->reports().back();
    CHECK(report.actions.at(0).text == (answered ? "approved by operator: alice" : "no approval came within 10m"));
  }
}

TEST_CASE("while its dependency is down a service is drained and not restarted; it comes back by itself") {
  Site f;
  f.service_view.health["redis"] = Health::down;
  f.use(f.draining());
  f.alert("ServiceDown");
  f.pass(minutes{20});
  CHECK(f.drain.started.size() == 1);
  CHECK(f.restart.started.empty());
  CHECK(f.undrain.started.empty());
  CHECK(f.status().state == model::PlanState::holding);
  CHECK(f.status().next ==
        "runs systemd restart order.service once dependencies allows it: redis is down: a restart would not help");
  CHECK(f.status().attempts_left == 3);
  f.turn("redis", Health::up);
  f.turn("order", Health::up);
  f.pass(seconds{2});
  CHECK(f.restart.started.empty());
  CHECK(f.undrain.started.size() == 1);
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::recovered);
  const auto actions = f.dispatcher->reports().at(0).actions;
  CHECK(actions.at(1).result == model::ActionStatus::refused);
  CHECK(actions.at(1).text == "dependencies: redis is down: a restart would not help");
}

TEST_CASE("the dependency is back and the service is not: it is restarted late") {
  Site f;
  f.service_view.health["redis"] = Health::down;
  f.use(f.draining());
  f.alert("ServiceDown");
  f.pass(minutes{1});
  f.turn("redis", Health::up);
  f.pass(seconds{2});
  CHECK(f.restart.started == std::vector<std::string>{"order attempt 1"});
  CHECK(f.drain.started.size() == 1);
  f.turn("order", Health::up);
  f.pass(seconds{3});
  CHECK(f.undrain.started.size() == 1);
}

TEST_CASE("a crash while it holds leaves the service drained for as long as its dependency is down, and no longer") {
  Site f;
  f.service_view.health["redis"] = Health::down;
  f.use(f.draining());
  f.alert("ServiceDown");
  f.pass(minutes{1});
  f.dispatcher.reset();
  f.start();
  f.use(f.draining());
  f.alert("ServiceDown");
  f.pass(minutes{1});
  CHECK(f.undrain.started.empty());
  CHECK(f.status().state == model::PlanState::holding);
  f.alert("ServiceDown", model::AlertState::inactive);
  f.turn("redis", Health::up);
  f.turn("order", Health::up);
  f.pass(seconds{3});
  CHECK(f.undrain.started.size() == 1);
  CHECK(f.restart.started.empty());
}

TEST_CASE("a service that flaps is drained and not restarted until a person says so") {
  Site f;
  auto spec = f.draining();
  spec->flapping = recover::Flapping{4, minutes{10}};
  f.use(std::move(spec));
  f.turn("order", Health::up);
  f.turn("order", Health::down);
  f.turn("order", Health::up);
  CHECK(f.pages.empty());
  f.turn("order", Health::down);
  CHECK(f.pages.size() == 1);
  f.alert("ServiceDown");
  f.pass(minutes{5});
  CHECK(f.status().reason == GuardName::none);
  CHECK(f.status().state == model::PlanState::holding);
  CHECK(f.drain.started.size() == 1);
  CHECK(f.restart.started.empty());
  f.dispatcher->ack("order", "new disk", nullptr);
  f.pass(seconds{2});
  CHECK(f.restart.started.size() == 1);
}

namespace {

// The service crashes again a minute after each restart, and a minute later its alert fires.
void crash(Site& f) {
  f.turn("order", Health::up);
  f.alert("ServiceDown", model::AlertState::inactive);
  f.pass(minutes{1});
  f.turn("order", Health::down);
  f.alert("ServiceDown");
  f.pass(minutes{1});
}

model::NodeChange upgraded(const Site& f) {
  return {f.loop.wall_now(), "order", model::ChangeKind::program, "/usr/bin/order"};
}

}  // namespace

TEST_CASE("a service that was changed and crashes is restarted once, then drained until a person has seen to it") {
  Site f;
  auto spec = f.draining();
  spec->guards.min_uptime = base::Millis{0};
  spec->guards.cooldown = base::Millis{0};
  f.use(std::move(spec));
  f.turn("order", Health::up);
  f.service_view.change = upgraded(f);
  f.pass(seconds{30});
  for (int i = 0; i < 3; ++i) crash(f);
  CHECK(f.restart.started.size() == 1);
  CHECK(f.drain.started.size() >= 2);
  CHECK(f.status().state == model::PlanState::holding);
  REQUIRE(f.status().waits_for() != nullptr);
  CHECK(f.status().waits_for()->name == GuardName::changed_recently);
  CHECK(is_for_person(f.status().waits_for()->name));

  f.dispatcher->ack("order", "alice: looked at it", nullptr);
  f.pass(seconds{2});
  CHECK(f.restart.started.size() == 2);
  crash(f);
  CHECK(f.restart.started.size() == 2);
  // The old version comes back: that is another change.
  f.service_view.change = upgraded(f);
  f.pass(seconds{2});
  CHECK(f.restart.started.size() == 3);
}

TEST_CASE("without a change a crash loop has the whole budget") {
  Site f;
  auto spec = f.plan();
  spec->guards.min_uptime = base::Millis{0};
  spec->guards.cooldown = base::Millis{0};
  f.use(std::move(spec));
  f.turn("order", Health::up);
  for (int i = 0; i < 3; ++i) crash(f);
  CHECK(f.restart.started.size() == 3);
}

TEST_CASE("a plan of a service that was changed goes on with its own next step") {
  Site f;
  auto spec = f.plan();
  spec->steps.push_back(fakes::scripted_step("command roll-back", f.second));
  f.use(std::move(spec));
  f.service_view.change = upgraded(f);
  f.pass(seconds{30});
  f.alert("ServiceDown");
  f.pass(minutes{2});
  CHECK(f.restart.started.size() == 1);
  CHECK(f.second.started.size() == 1);
}

TEST_CASE("calm opens the latch of flapping") {
  Site f;
  auto spec = f.plan();
  spec->flapping = recover::Flapping{2, minutes{10}};
  f.use(std::move(spec));
  f.turn("order", Health::up);
  f.turn("order", Health::down);
  f.alert("ServiceDown");
  CHECK(f.status().reason == GuardName::flapping);
  f.pass(minutes{11});
  CHECK(f.restart.started.size() >= 1);
}

TEST_CASE("a plan that goes by health starts when the service was down for so long, and stops wanting when it is up") {
  Site f;
  auto spec = f.plan();
  spec->when.clear();
  spec->when_down = seconds{3};
  f.use(std::move(spec));
  f.alert("ServiceDown");  // of no interest to it
  f.loop.advance(seconds{2});
  CHECK(f.restart.started.empty());
  CHECK(f.status().next == "when it is down for 3s, runs systemd restart order.service");
  f.loop.advance(seconds{1});
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
  CHECK(f.dispatcher->reports().at(0).trigger == "alert down");
  f.turn("order", Health::up);
  f.pass(seconds{2});
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::recovered);
  CHECK(f.status().state == model::PlanState::idle);
}

TEST_CASE("a dry run says and counts what enforcing does, line by line") {
  const auto play = [](model::RecoveryMode mode) {
    Site f;
    f.service_view.health["redis"] = Health::down;
    f.use(f.draining(mode));
    f.alert("ServiceDown");
    f.pass(minutes{1});
    f.turn("redis", Health::up);
    f.pass(seconds{3});
    f.healthy();
    f.pass(seconds{3});
    std::string said;
    for (std::string line : f.said) {
      for (const auto& [from, to] : {std::pair{" would_run dry_run", " ok enforce"}, {" dry_run", " enforce"}})
        if (const auto at = line.find(from); at != std::string::npos) line.replace(at, std::string(from).size(), to);
      said += line + "\n";
    }
    const bool touched = !f.restart.started.empty() || !f.drain.started.empty() || !f.undrain.started.empty();
    CHECK(touched == (mode == model::RecoveryMode::enforce));
    return said;
  };
  const std::string real = play(model::RecoveryMode::enforce);
  CHECK(real.find("order systemd restart order.service ok enforce") != std::string::npos);
  CHECK(real == play(model::RecoveryMode::dry_run));
}

TEST_CASE("a dependency that is found down later than who depends on it holds it back all the same") {
  Site f;
  f.service_view.probes["redis"] = {"ping", "disk"};
  f.use(f.draining());
  f.alert("ServiceDown");
  f.loop.run_due();
  CHECK(f.service_view.probed == std::vector<std::string>{"redis"});
  CHECK(f.drain.started.empty());
  f.service_view.last_runs["redis"] = Health::down;  // one failed run of three that it takes
  f.dispatcher->on_run("redis", "disk", true);
  f.loop.run_due();
  CHECK(f.drain.started.empty());
  f.dispatcher->on_run("redis", "ping", false);
  f.pass(seconds{3});
  CHECK(f.drain.started.size() == 1);
  CHECK(f.restart.started.empty());
  CHECK(f.status().state == model::PlanState::holding);
  CHECK(f.status().attempts_left == 3);
  SUBCASE("it was a moment's failure: asked once more, then the restart") {
    f.service_view.last_runs["redis"] = Health::up;
    f.pass(seconds{2});
    CHECK(f.restart.started.empty());
    f.dispatcher->on_run("redis", "disk", true);
    f.dispatcher->on_run("redis", "ping", true);
    f.loop.run_due();
    CHECK(f.restart.started.size() == 1);
  }
  SUBCASE("it is down") {
    f.turn("redis", Health::down);
    f.pass(minutes{10});
    CHECK(f.restart.started.empty());
  }
}

TEST_CASE("a dependency that is healthy delays an action by one run of its probes, one that is silent by ten seconds") {
  Site f;
  f.service_view.probes["redis"] = {"ping"};
  f.use(f.plan());
  f.alert("ServiceDown");
  f.loop.run_due();
  CHECK(f.restart.started.empty());
  SUBCASE("healthy") {
    f.dispatcher->on_run("redis", "ping", true);
    f.loop.run_due();
  }
  SUBCASE("silent") {
    f.loop.advance(seconds{9});
    CHECK(f.restart.started.empty());
    f.loop.advance(seconds{1});
  }
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a person who starts a plan is not made to wait for a look") {
  Site f;
  f.service_view.probes["redis"] = {"ping"};
  f.use(f.plan());
  f.recover_by_hand();
  CHECK(f.restart.started.size() == 1);
}
