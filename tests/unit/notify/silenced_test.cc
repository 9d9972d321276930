#include <algorithm>

#include "desk.h"

namespace {

const char* const kWebhook = "{name: ops, webhook_configs: [{url: \"http://h/\"}]}";

std::string instances(const json& body) {
  std::string out;
  for (const json& alert : body["alerts"])
    out += alert["labels"]["instance"].get<std::string>() + (alert["status"] == "firing" ? "! " : ". ");
  return out;
}

}  // namespace

TEST_CASE("a silenced alert goes to no receiver, is counted, and is told when the silence ends") {
  Fixture f(
      "{name: ops, webhook_configs: [{url: \"http://h/\"}]}, {name: am, alertmanager_configs: [{urls: "
      "[\"http://a/\"]}]}");
  f.silence("service=order", minutes{10});
  f.tell("Down");
  CHECK(f.sent() == 0);
  CHECK(f.results == std::vector<std::string>{"am silenced", "ops silenced"});
  f.loop.advance(minutes{9});
  CHECK(f.sent() == 0);
  CHECK(std::count(f.results.begin(), f.results.end(), "ops silenced") == 1);  // an Alertmanager is told every minute
  f.loop.advance(minutes{1});
  CHECK(f.sent() == 2);
}

TEST_CASE("an alert that resolves during its silence was never there for those who did not hear of it") {
  Fixture f(kWebhook);
  f.silence("service=order", minutes{10});
  f.tell("Down");
  f.tell("Down", AlertState::inactive);
  f.loop.advance(std::chrono::hours{1});
  CHECK(f.sent() == 0);
  CHECK(f.state.durable().at(state::Table::notifications).empty());
}

TEST_CASE("what fired before its silence and resolved during it is told as resolved after it") {
  Fixture f(kWebhook);
  f.tell("Down");
  f.answer(200);
  f.silence("service=order", minutes{10});
  f.tell("Down", AlertState::inactive);
  CHECK(f.sent() == 1);
  CHECK(f.results.back() == "ops silenced");
  f.loop.advance(minutes{10});
  REQUIRE(f.sent() == 2);
  CHECK(f.body()["status"] == "resolved");
}

TEST_CASE("what fired before its silence and fires after it is told again") {
  Fixture f(kWebhook);
  f.tell("Down");
  f.answer(200);
  const std::string id = f.silence("service=order");
  f.loop.advance(minutes{5});
  CHECK(f.sent() == 1);
  f.expire(id);
  REQUIRE(f.sent() == 2);
  CHECK(f.body()["status"] == "firing");
}

TEST_CASE("of a group only what is under no silence is told") {
  Fixture f(kWebhook);
  const std::string id = f.silence("instance=i1");
  f.tell("Down", AlertState::firing, "i1");
  CHECK(f.sent() == 0);
  f.tell("Down", AlertState::firing, "i2");
  REQUIRE(f.sent() == 1);
  CHECK(instances(f.body()) == "i2! ");
  f.answer(200);
  f.tell("Down", AlertState::inactive, "i2");
  REQUIRE(f.sent() == 2);
  CHECK(instances(f.body()) == "i2. ");
  f.answer(200);
  f.expire(id);
  REQUIRE(f.sent() == 3);
  CHECK(instances(f.body()) == "i1! ");
}

TEST_CASE("a second silence that holds the same alert keeps it silent after the first") {
  Fixture f(kWebhook);
  f.silence("service=order", minutes{5});
  f.silence("Down", minutes{10});
  f.tell("Down");
  f.loop.advance(minutes{9});
  CHECK(f.sent() == 0);
  CHECK(f.results == std::vector<std::string>{"ops silenced"});
  f.loop.advance(minutes{1});
  CHECK(f.sent() == 1);
}

TEST_CASE("a silence outlives a crash, and one that ended meanwhile has ended") {
  Fixture f(kWebhook);
  f.tell("Down");
  f.answer(200);
  f.silence("service=order", minutes{10});
  f.start(kWebhook, 2);
  f.tell("Down");  // the rules say again what fires
  f.loop.advance(minutes{5});
  CHECK(f.sent() == 1);
  f.loop.jump_wall(minutes{10});
  f.start(kWebhook, 3);
  REQUIRE(f.sent() == 2);
  CHECK(f.body()["status"] == "firing");
}

TEST_CASE("a page can be silenced by its labels") {
  Fixture f(kWebhook);
  f.silence("alertname=FettlePage,service=order");
  f.notifications->page("order", "Recovery exhausted.");
  f.loop.run_due();
  CHECK(f.sent() == 0);
  CHECK(f.results == std::vector<std::string>{"ops silenced"});
  f.notifications->page("payment", "Recovery exhausted.");
  f.loop.run_due();
  CHECK(f.sent() == 1);
}

TEST_CASE("the end of a recovery is not told about silenced alerts") {
  Fixture f(kWebhook);
  f.tell("Down");
  f.answer(200);
  f.silence("service=order");
  model::RecoveryReport report;
  report.id = "r1";
  report.service = "order";
  report.state = model::RecoveryState::recovered;
  report.started = f.loop.wall_now();
  report.ended = f.loop.wall_now();
  f.notifications->on_recovery(report);
  f.loop.run_due();
  CHECK(f.sent() == 1);
}

TEST_CASE("an Alertmanager is not told again of what is silenced here, and hears of it after the silence") {
  Fixture f(kAlertmanagers);
  f.tell("Down");
  f.answer(200);
  f.answer(200);
  f.silence("service=order", minutes{10});
  f.loop.advance(minutes{9});
  CHECK(f.sent() == 2);
  f.loop.advance(minutes{1});
  CHECK(f.sent() == 4);
  CHECK(f.body()[0]["labels"]["alertname"] == "Down");
}
