// A recovery under way that people stop: what runs ends, what was drained is given back, nothing else follows.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "fakes/recovery_site.h"

using model::Health;
using recover::GuardName;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Site : fakes::RecoverySite {
  fakes::ActionScript drain{.heals = false, .traffic = true}, undrain{.heals = false, .traffic = true};
  fakes::ActionScript second, mail{.heals = false};
  bool paused = false;

  // drain, restart, a second restart; in the end undrain and a mail.
  std::unique_ptr<recover::PlanSpec> long_plan(model::RecoveryMode mode = model::RecoveryMode::enforce) {
    auto spec = plan(mode);
    spec->text = "as it is";
    spec->steps.insert(spec->steps.begin(), fakes::scripted_step("drain", drain));
    spec->steps.push_back(fakes::scripted_step("second restart", second));
    spec->finally.push_back(fakes::scripted_step("undrain", undrain));
    spec->finally.push_back(fakes::scripted_step("mail", mail));
    return spec;
  }
  // The alert fires, and the first restart has begun.
  void restart_runs() {
    restart.takes = seconds{10};
    use(long_plan());
    alert("ServiceDown");
    loop.advance(seconds{2});
    REQUIRE(restart.started.size() == 1);
    REQUIRE(status().state == model::PlanState::acting);
  }
  void fail_for(base::Duration d) {
    for (const auto end = loop.now() + d; loop.now() < end;) {
      loop.advance(seconds{1});
      dispatcher->on_run("order", "http", false);
      loop.run_due();
    }
  }
  std::string abort(const std::string& comment = "alice") {
    std::string text;
    dispatcher->abort("order", comment, [&](base::Result<std::string> r) { text = r ? *r : r.error().text; });
    loop.run_due();
    return text;
  }
  // The newest report of a run that did something; a plan that is a dry run by now may have begun one of its own.
  model::RecoveryReport last() const {
    for (const auto& report : dispatcher->reports())
      if (!report.actions.empty() && report.mode == model::RecoveryMode::enforce) return report;
    return {};
  }
};

struct Way {
  const char* name;
  std::function<void(Site&)> stop;
  const char* reason;
};

const Way kWays[] = {
    {"abort", [](Site& f) { f.abort(); }, "aborted by operator: alice"},
    {"maintenance",
     [](Site& f) {
       f.dispatcher->begin_maintenance("order", {}, "bob: deploy", nullptr);
       f.loop.run_due();
     },
     "maintenance: on: bob: deploy"},
    {"plan removed", [](Site& f) { f.use(nullptr); }, "its plan is not configured any more"},
    {"dry_run", [](Site& f) { f.use(f.long_plan(model::RecoveryMode::dry_run)); }, "its mode is dry_run now"},
    {"ask", [](Site& f) { f.use(f.long_plan(model::RecoveryMode::ask)); }, "its mode is ask now"},
    {"plan changed",
     [](Site& f) {
       auto spec = f.long_plan();
       spec->text = "otherwise";
       f.use(std::move(spec));
     },
     "its plan was changed"},
    {"rule removed", [](Site& f) { f.dispatcher->know_alerts({"Other"}); },
     "no rule makes the alert ServiceDown any more"},
};

}  // namespace

TEST_CASE("what people say while evidence is gathered comes before the action") {
  struct Slow final : recover::Recorder {
    explicit Slow(loop::Scheduler& all) : scheduler(all) {}
    void begin(const std::string&, const std::string&) override { until = scheduler.now() + base::Millis{300}; }
    loop::Handle wait(const std::string&, std::function<void()> done) override {
      return scheduler.now() < until ? scheduler.at(until, std::move(done)) : loop::Handle{};
    }
    loop::Scheduler& scheduler;
    base::Instant until{};
  };
  std::vector<Way> ways(std::begin(kWays), std::end(kWays));
  ways.push_back({"nothing", [](Site&) {}, ""});
  ways.push_back({"a dependency fails", [](Site& f) { f.service_view.health["redis"] = Health::down; }, ""});
  ways.push_back({"it is well again", [](Site& f) { f.healthy(); }, ""});
  for (const Way& way : ways) {
    CAPTURE(way.name);
    Site f;
    Slow recorder(f.loop);
    f.recorder = &recorder;
    f.start();
    f.use(f.long_plan());
    f.dispatcher->on_run("order", "http", false);
    f.alert("ServiceDown");
    for (int i = 0; i < 20; ++i) f.loop.advance(base::Millis{10});
    REQUIRE(f.drain.started.size() == 1);
    REQUIRE(f.restart.started.empty());
    way.stop(f);
    f.loop.run_due();
    for (int i = 0; i < 40; ++i) f.loop.advance(base::Millis{10});
    const bool goes_on = std::string_view(way.name) == "nothing";
    CHECK(f.restart.started.size() == (goes_on ? 1 : 0));
    CHECK(f.dispatcher->node_actions_left() == (goes_on ? 999 : 1000));
    const bool waits = std::string_view(way.name) == "a dependency fails";
    CHECK(f.undrain.started.size() == (goes_on || waits ? 0 : 1));
  }
}

TEST_CASE("stopped while an action runs: it ends by itself, what was drained comes back, nothing else follows") {
  for (const Way& way : kWays) {
    CAPTURE(way.name);
    Site f;
    f.restart_runs();
    way.stop(f);
    CHECK(f.undrain.started.empty());
    f.loop.advance(seconds{20});
    CHECK(f.second.started.empty());
    CHECK(f.undrain.started.size() == 1);
    CHECK(f.mail.started.empty());
    const auto report = f.last();
    CHECK(report.state == model::RecoveryState::aborted);
    CHECK(report.reason == way.reason);
    REQUIRE(report.actions.size() == 3);
    CHECK(report.actions[1].result == model::ActionStatus::ok);
    CHECK(report.ended.has_value());
    CHECK(f.table(state::Table::intents).count("order") == 0);
  }
}

TEST_CASE("stopped in a verification: at once") {
  for (const Way& way : kWays) {
    CAPTURE(way.name);
    Site f;
    f.restart_runs();
    f.fail_for(seconds{12});
    REQUIRE(f.status().state == model::PlanState::verifying);
    way.stop(f);
    f.loop.advance(seconds{2});
    CHECK(f.undrain.started.size() == 1);
    CHECK(f.second.started.empty());
    CHECK(f.last().state == model::RecoveryState::aborted);
    CHECK(f.last().reason == way.reason);
  }
}

TEST_CASE("a pause file stops a run, too, within a second while it waits") {
  const std::string pause = std::filesystem::temp_directory_path() / fmt::format("fettle-pause-{}", ::getpid());
  Site f;
  f.restart.takes = seconds{10};
  auto spec = f.long_plan();
  spec->maintenance.pause_file = pause;
  f.use(std::move(spec));
  f.alert("ServiceDown");
  f.fail_for(seconds{15});
  REQUIRE(f.status().state == model::PlanState::verifying);
  { std::ofstream(pause.c_str()); }
  f.loop.advance(seconds{2});
  CHECK(f.undrain.started.size() == 1);
  CHECK(f.second.started.empty());
  CHECK(f.last().reason == "paused: on: " + pause + " exists: remove it to go on");
  std::filesystem::remove(pause);
}

TEST_CASE("the same plan in a reload stops nothing") {
  Site f;
  f.restart_runs();
  f.use(f.long_plan());
  f.dispatcher->know_alerts({"ServiceDown"});
  f.loop.advance(seconds{12});
  CHECK(f.status().state == model::PlanState::verifying);
}

TEST_CASE("the answer to a person is true") {
  Site f;
  f.restart_runs();
  const std::string id = f.status().recovery;
  SUBCASE("abort while a step runs") {
    CHECK(f.abort() == "order is left alone until its alert has resolved; recovery " + id +
                           ": systemd restart order.service is running and comes to its end; what follows is undrain, "
                           "and nothing else");
  }
  SUBCASE("maintenance while a step runs") {
    std::string text;
    f.dispatcher->begin_maintenance("order", {}, "", [&](base::Result<std::string> r) { text = *r; });
    f.loop.run_due();
    CHECK(text == "recovery " + id +
                      ": systemd restart order.service is running and comes to its end; what follows is undrain, and "
                      "nothing else");
  }
  SUBCASE("abort twice, and when nothing is under way") {
    f.abort();
    f.fail_for(seconds{20});
    CHECK(f.last().state == model::RecoveryState::aborted);
    f.healthy();
    f.loop.run_due();
    CHECK(f.abort() == "nothing to abort: no recovery of order is under way");
  }
}

TEST_CASE("an abort lasts until the alert has resolved, also over a crash of the agent") {
  Site f;
  f.restart_runs();
  f.abort();
  f.fail_for(seconds{60});
  CHECK(f.restart.started.size() == 1);
  CHECK(f.status().reason == GuardName::aborted);
  CHECK(f.status().next ==
        "runs drain once aborted allows it: aborted by operator: alice; nothing is done until its alert has resolved; "
        "or: fettle recover order");
  f.dispatcher.reset();
  f.start();
  f.use(f.long_plan());
  f.alert("ServiceDown");
  f.fail_for(seconds{60});
  CHECK(f.restart.started.size() == 1);
  f.healthy();
  f.service_view.health["order"] = Health::down;
  f.alert("ServiceDown");
  f.fail_for(minutes{3});
  CHECK(f.restart.started.size() >= 2);
}

TEST_CASE("an abort of one that waits for its next attempt stops it; a person or ack lets it act again") {
  for (const bool by_hand : {true, false}) {
    CAPTURE(by_hand);
    Site f;
    auto spec = f.plan();
    spec->budget.backoff.initial = seconds{60};
    f.use(std::move(spec));
    f.alert("ServiceDown");
    f.fail_for(seconds{40});
    REQUIRE(f.status().state == model::PlanState::backoff);
    CHECK(f.abort() == "order is left alone until its alert has resolved; no recovery is under way");
    f.fail_for(minutes{5});
    CHECK(f.restart.started.size() == 1);
    if (by_hand) f.dispatcher->recover("order", recover::Start::now, "", [](base::Result<std::string>) {});
    else f.dispatcher->ack("order", "", nullptr);
    f.fail_for(seconds{10});
    CHECK(f.restart.started.size() == 2);
  }
}

TEST_CASE("a crash after an abort does not go on with the run") {
  Site f;
  f.restart_runs();
  f.abort();
  f.dispatcher.reset();
  f.start();
  f.use(f.long_plan());
  f.alert("ServiceDown");
  f.fail_for(seconds{60});
  CHECK(f.undrain.started.size() == 1);
  CHECK(f.second.started.empty());
  CHECK(f.restart.started.size() == 1);
  CHECK(f.last().state == model::RecoveryState::aborted);
}
