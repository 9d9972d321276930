// What a person may do by hand: start a plan, rehearse it, and open the latch of an exhausted one.
#include <doctest/doctest.h>

#include <functional>

#include "fakes/recovery_site.h"
#include "recover/plan/explain.h"

using model::Health;
using std::chrono::minutes;
using std::chrono::seconds;
using Site = fakes::RecoverySite;

namespace {

// What recover() or ack() answered: "ok: …", or the error's text; "" while nothing came.
struct Answer {
  std::string text;
  std::function<void(base::Result<std::string>)> sentence() {
    return [this](base::Result<std::string> r) { text = r ? "ok: " + *r : r.error().text; };
  }
  std::function<void(base::Result<>)> plain() {
    return [this](base::Result<> r) { text = r ? "ok" : r.error().text; };
  }
};

void exhaust(Site& f) {
  auto spec = f.plan();
  spec->budget.attempts = 1;
  f.use(std::move(spec));
  f.alert("ServiceDown");
  f.loop.advance(minutes{2});
  REQUIRE(f.status().state == model::PlanState::exhausted);
}

}  // namespace

TEST_CASE("a person starts a plan for a healthy service: intent first, verified, reported with the trigger") {
  Site f;
  f.service_view.health["order"] = Health::up;
  f.use(f.plan());
  f.restart.on_start = [&] { CHECK(f.table(state::Table::intents).count("order") == 1); };
  Answer answer;
  f.dispatcher->recover("order", recover::Start::now, "new certificate", answer.sentence());
  CHECK(answer.text == "");
  f.loop.run_due();
  CHECK(answer.text == "ok: recovery " + f.status().recovery + " of order has started");
  CHECK(f.restart.started == std::vector<std::string>{"order attempt 1"});
  f.loop.advance(seconds{1});
  f.dispatcher->on_run("order", "http", true);
  f.loop.run_due();
  REQUIRE(f.dispatcher->reports().size() == 1);
  CHECK(f.dispatcher->reports()[0].trigger == "operator: new certificate");
  CHECK(f.dispatcher->reports()[0].state == model::RecoveryState::recovered);
  CHECK(f.status().attempts_left == 2);
  CHECK(f.status().recovery == "");
}

TEST_CASE("a person does not wait for cooldown, backoff, uptime or the agent; other guards refuse with their reason") {
  struct Row {
    const char* name;
    std::function<void(Site&)> change;
    const char* want;
  };
  const Row rows[] = {
      {"min_uptime", [](Site& f) { f.service_view.uptime = seconds{1}; }, ""},
      {"overloaded",
       [](Site& f) {
         f.service_view.held = {{"stall", "it stood still", base::Instant::max()}};
       },
       ""},
      {"dependency", [](Site& f) { f.service_view.health["redis"] = Health::down; },
       "order is not recovered: dependencies: redis is down: a restart would not help"},
      {"maintenance", [](Site& f) { f.dispatcher->begin_maintenance("order", {}, "deploy", nullptr); },
       "order is not recovered: maintenance: on: deploy"},
      {"latched", [](Site& f) { exhaust(f); },
       "order is not recovered: exhausted: gave up after 1 attempts within 15m; after the repair: fettle ack order; or "
       "10m of health"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Site f;
    f.use(f.plan());
    row.change(f);
    f.loop.run_due();
    f.restart.started.clear();
    Answer answer;
    f.dispatcher->recover("order", recover::Start::now, "", answer.sentence());
    f.loop.run_due();
    if (*row.want != 0) CHECK(answer.text == row.want);
    CHECK(f.restart.started.size() == (*row.want != 0 ? 0 : 1));
  }
}

TEST_CASE("a second start while one is under way, and one of a service without a plan, are refused") {
  Site f;
  f.use(f.plan());
  Answer first, second, other;
  f.dispatcher->recover("order", recover::Start::now, "", first.sentence());
  f.dispatcher->recover("order", recover::Start::now, "", second.sentence());
  f.dispatcher->recover("shop", recover::Start::now, "", other.sentence());
  f.loop.run_due();
  CHECK(first.text.starts_with("ok: "));
  CHECK(second.text == "recovery " + f.status().recovery + " of order is under way: acting");
  CHECK(other.text == "service 'shop' has no recovery plan");
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a rehearsal tells the whole plan and leaves nothing behind") {
  Site f;
  auto spec = f.plan();
  spec->finally.push_back(fakes::scripted_step("undrain", f.telling));
  f.use(std::move(spec));
  Answer answer;
  f.dispatcher->recover("order", recover::Start::rehearsal, "", answer.sentence());
  f.loop.advance(minutes{1});
  CHECK(answer.text ==
        "ok: order would be recovered:\n"
        "  systemd restart order.service, at most 1m; over if every probe has 1 good run within 30s\n"
        "  finally undrain, at most 1m");
  CHECK(f.restart.started.empty());
  CHECK(f.state.commits == 0);
  CHECK(f.dispatcher->reports().empty());
}

TEST_CASE("in mode ask a person's start is the approval") {
  Site f;
  f.use(f.plan(model::RecoveryMode::ask));
  f.alert("ServiceDown");
  f.loop.run_due();
  CHECK(f.restart.started.empty());
  f.dispatcher->recover("order", recover::Start::now, "", [](base::Result<std::string>) {});
  f.loop.run_due();
  CHECK(f.restart.started.size() == 1);
  f.loop.advance(seconds{1});
  f.healthy();
  f.loop.run_due();
  const auto reports = f.dispatcher->reports();
  CHECK(reports.at(0).state == model::RecoveryState::recovered);
  CHECK(reports.at(0).mode == model::RecoveryMode::enforce);
  CHECK(reports.at(1).state == model::RecoveryState::aborted);  // the one that waited for approval
}

TEST_CASE("in mode dry_run a person's start is a dry run too") {
  Site f;
  f.use(f.plan(model::RecoveryMode::dry_run));
  f.dispatcher->recover("order", recover::Start::now, "", [](base::Result<std::string>) {});
  f.loop.run_due();
  CHECK(f.restart.started.empty());
  CHECK(f.dispatcher->reports().at(0).actions.at(0).result == model::ActionStatus::would_run);
}

TEST_CASE("a start that cannot be written down does nothing and says so; the alert still gets its recovery") {
  for (const bool firing : {false, true}) {
    CAPTURE(firing);
    Site f;
    f.use(f.plan());
    if (firing) f.service_view.health["redis"] = Health::down;
    if (firing) f.alert("ServiceDown");
    f.service_view.health["redis"] = Health::up;
    f.loop.run_due();
    f.state.failing = true;
    Answer answer;
    f.dispatcher->recover("order", recover::Start::now, "", answer.sentence());
    f.loop.run_due();
    CHECK(answer.text == "nothing was done: the intent could not be written: no space left on device");
    CHECK(f.restart.started.empty());
    f.state.failing = false;
    f.loop.advance(seconds{12});
    CHECK(f.restart.started.size() == (firing ? 1 : 0));
    CHECK(f.table(state::Table::intents).size() == (firing ? 1 : 0));
  }
}

TEST_CASE("a run that a person started is finished after a crash, and no alert is made up") {
  Site f;
  f.service_view.health["order"] = Health::up;
  f.use(f.plan());
  f.dispatcher->recover("order", recover::Start::now, "", [](base::Result<std::string>) {});
  f.loop.run_due();
  f.dispatcher.reset();
  f.start();
  f.use(f.plan());
  CHECK(f.status().state == model::PlanState::verifying);
  f.dispatcher->on_run("order", "http", true);
  f.loop.run_due();
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::recovered);
  CHECK(f.dispatcher->reports().at(0).trigger == "operator");
  f.loop.advance(minutes{20});
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("ack opens the latch, is durable, gives the budget back and lets the waiting alert act") {
  Site f;
  exhaust(f);
  REQUIRE(f.restart.started.size() == 1);
  Answer answer;
  f.dispatcher->ack("order", "disk replaced", answer.plain());
  f.loop.run_due();
  CHECK(answer.text == "ok");
  CHECK(f.status().attempts_left == 1);
  CHECK(f.table(state::Table::budgets).at("order").find("\"exhausted\":false") != std::string::npos);
  f.dispatcher->on_run("order", "http", false);  // probed first, as after any wait
  f.loop.run_due();
  CHECK(f.restart.started.size() == 2);
}

TEST_CASE("what was acknowledged stays so after a crash") {
  Site f;
  exhaust(f);
  f.dispatcher->ack("order", "", nullptr);
  f.loop.run_due();
  f.dispatcher.reset();
  f.start();
  auto spec = f.plan();
  spec->budget.attempts = 1;
  f.use(std::move(spec));
  CHECK(f.status().attempts_left == 1);
  CHECK(f.status().state != model::PlanState::exhausted);
}

TEST_CASE("ack has nothing to open while attempts are left, and says when it could not be written") {
  Site f;
  f.use(f.plan());
  Answer nothing, unknown, unwritten;
  f.dispatcher->ack("order", "", nothing.plain());
  f.dispatcher->ack("shop", "", unknown.plain());
  f.loop.run_due();
  CHECK(nothing.text == "order is not exhausted: 3 of 3 attempts left");
  CHECK(unknown.text == "service 'shop' has no recovery plan");
  exhaust(f);
  f.state.failing = true;
  f.dispatcher->ack("order", "", unwritten.plain());
  f.loop.run_due();
  CHECK(unwritten.text == "in effect until the agent ends; it could not be written: no space left on device");
  CHECK(f.status().attempts_left == 1);
}
