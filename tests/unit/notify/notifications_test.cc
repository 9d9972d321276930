#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "desk.h"

TEST_CASE("a receiver's secret is read for each message, and one that cannot be read leaves the one before") {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("fettle-hook-" + std::to_string(::getpid()))).string();
  const auto write = [&](const char* secrets) { std::ofstream(file) << secrets; };
  const auto signatures = [](const std::string& header) { return std::count(header.begin(), header.end(), ','); };
  write("one\n");
  Fixture f("{name: ops, webhook_configs: [{url: \"http://h/\", secret_file: " + file + "}]}");
  f.tell("A");
  REQUIRE(f.sent() == 1);
  CHECK(signatures(f.header("webhook-signature")) == 1);
  f.answer(200);
  write("one\ntwo\n");
  f.tell("B");
  REQUIRE(f.sent() == 2);
  CHECK(signatures(f.header("webhook-signature")) == 2);
  f.answer(200);
  std::filesystem::remove(file);
  f.tell("C");
  REQUIRE(f.sent() == 3);
  CHECK(signatures(f.header("webhook-signature")) == 2);
}

TEST_CASE("an alert that fires is queued durably, sent, and gone from the queue") {
  Fixture f("{name: ops, webhook_configs: [{url: \"http://h/\", secret: s, headers: {X-Team: shop}}]}");
  f.state.held = true;
  f.tell("Down");
  CHECK(f.sent() == 0);  // not before it is durable
  f.state.sync();
  CHECK(f.queued() == 1);
  REQUIRE(f.sent() == 1);
  const http::HttpRequest& request = f.http.desk.last();
  CHECK(request.method == "POST");
  CHECK(request.url == "http://h/");
  CHECK(request.deadline == f.loop.now() + seconds{10});
  CHECK(f.header("X-Team") == "shop");
  CHECK(f.header("Content-Type") == "application/json");
  CHECK(f.header("webhook-id").starts_with("msg_"));
  CHECK(f.header("webhook-timestamp") == "1700000000");
  CHECK(f.header("webhook-signature").starts_with("v1,"));
  CHECK(f.body()["groupKey"] == "{}:{alertname=\"Down\", service=\"order\"}");
  CHECK(f.body()["node"] == "node1");
  f.state.held = false;
  f.answer(200);
  f.loop.run_due();
  CHECK(f.queued() == 0);
  CHECK(f.results == std::vector<std::string>{"ops sent"});
  CHECK(f.notifications->statuses()[0].last_sent == f.loop.wall_now());
}

TEST_CASE("a message that does not get through is sent again with the same id and bytes, in time and in order") {
  Fixture f;
  f.tell("Down");
  f.tell("Down", AlertState::inactive);
  REQUIRE(f.sent() == 1);
  const std::string id = f.header("webhook-id"), body = f.http.desk.last().body;
  std::vector<double> waits;
  for (int i = 0; i < 8; ++i) {
    const base::Instant failed = f.loop.now();
    f.answer(503);
    while (f.http.desk.waiting() == 0) f.loop.advance(std::chrono::milliseconds{100});
    waits.push_back(base::seconds(f.loop.now() - failed));
    CHECK(f.header("webhook-id") == id);
    CHECK(f.http.desk.last().body == body);
  }
  const double plain[] = {0, 1, 2, 5, 10, 30, 60, 120};
  for (std::size_t i = 0; i < waits.size(); ++i) {
    CAPTURE(i);
    CHECK(waits[i] >= plain[i] * 0.8);
    CHECK(waits[i] <= plain[i] * 1.2 + 0.2);
  }
  CHECK(f.header("webhook-timestamp") != f.header("webhook-timestamp", 0));  // each attempt says when it was made
  f.answer(200);
  f.loop.run_due();
  CHECK(f.body()["status"] == "resolved");  // only now the second one
  CHECK(f.header("webhook-id") != id);
}

TEST_CASE("Retry-After is kept") {
  Fixture f;
  f.tell("Down");
  http::HttpResponse busy;
  busy.status = 429;
  busy.headers = {{"Retry-After", "40"}};
  f.http.desk.answer(std::move(busy));
  f.loop.advance(seconds{39});
  CHECK(f.sent() == 1);
  f.loop.advance(seconds{1});
  CHECK(f.sent() == 2);
}

TEST_CASE("a crash between queue and answer sends once more with the same id, and never what was through") {
  Fixture f;
  f.tell("Down");
  const std::string id = f.header("webhook-id"), body = f.http.desk.last().body;
  f.start("{name: ops, webhook_configs: [{url: \"http://h/\"}]}", 99);
  REQUIRE(f.sent() == 2);
  CHECK(f.header("webhook-id") == id);
  CHECK(f.http.desk.last().body == body);
  f.answer(200);
  f.loop.run_due();
  f.start("{name: ops, webhook_configs: [{url: \"http://h/\"}]}", 98);
  f.tell("Down");  // the rules say again what fires
  f.loop.advance(minutes{1});
  CHECK(f.sent() == 2);
  f.tell("Down", AlertState::inactive);
  CHECK(f.sent() == 3);
  CHECK(f.body()["status"] == "resolved");
}

TEST_CASE("alerts of one name and service are one message; what was said is not said again") {
  Fixture f("route: {receiver: ops, group_by: [alertname, service], group_wait: 5s, group_interval: 1ms}\n",
            "{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  f.tell("Down", AlertState::firing, "i1");
  f.loop.advance(seconds{3});
  f.tell("Down", AlertState::firing, "i2");
  CHECK(f.sent() == 0);
  f.loop.advance(seconds{2});
  REQUIRE(f.sent() == 1);
  CHECK(f.body()["alerts"].size() == 2);
  f.answer(200);
  model::AlertTransition same = f.transition("Down", AlertState::firing, "i2");
  same.alert = f.known.at(same.alert.labels);  // since the same time
  f.notifications->on_transitions({same});
  f.loop.advance(seconds{1});
  CHECK(f.sent() == 1);
  f.tell("Down", AlertState::inactive, "i1");  // after the first message nothing waits
  REQUIRE(f.sent() == 2);
  CHECK(f.body()["status"] == "firing");
  f.answer(200);
  f.loop.advance(seconds{1});
  f.tell("Down", AlertState::inactive, "i2");
  REQUIRE(f.sent() == 3);
  CHECK(f.body()["status"] == "resolved");
  CHECK(f.body()["alerts"].size() == 1);  // i1 was told before
}

TEST_CASE("a receiver gets what matches and, if it wants, no resolutions") {
  Fixture f(
      "route: {receiver: other, group_wait: 0s, group_interval: 1ms, routes: [{receiver: ops, matchers: "
      "['severity=\"page\"']}]}\n",
      "{name: ops, webhook_configs: [{url: \"http://h/\", send_resolved: false}]}, "
      "{name: other, webhook_configs: [{url: \"http://o/\"}]}");
  f.tell("Down");
  CHECK(f.sent() == 1);
  f.answer(200);
  f.tell("Down", AlertState::inactive);
  f.loop.advance(seconds{1});
  CHECK(f.sent() == 1);
  f.tell("Down");
  CHECK(f.sent() == 2);
  CHECK(f.http.desk.last().url == "http://h/");
}

TEST_CASE("the end of a recovery is told at once, with its actions") {
  Fixture f;
  f.tell("Down");
  f.answer(200);
  model::RecoveryReport report;
  report.id = "r1";
  report.service = "order";
  report.state = model::RecoveryState::acting;
  report.started = f.loop.wall_now();
  f.notifications->on_recovery(report);
  f.loop.run_due();
  CHECK(f.sent() == 1);  // begun: with the next message
  f.loop.advance(seconds{2});
  f.tell("Down", AlertState::inactive);
  REQUIRE(f.sent() == 2);
  CHECK(f.body()["recoveries"][0]["state"] == "acting");
  f.answer(200);
  report.state = model::RecoveryState::recovered;
  report.ended = f.loop.wall_now();
  f.notifications->on_recovery(report);
  f.loop.run_due();
  REQUIRE(f.sent() == 3);
  CHECK(f.body()["recoveries"][0]["state"] == "recovered");
  CHECK(f.body()["status"] == "resolved");
}

TEST_CASE("a page goes where its labels lead, and to everybody if that receiver is left out for a mistake") {
  Fixture f(
      "route: {receiver: chat, routes: [{receiver: pager, matchers: ['severity=\"page\"']}]}\n",
      "{name: pager, webhook_configs: [{url: \"http://p/\"}]}, {name: chat, webhook_configs: [{url: \"http://c/\"}]}");
  f.notifications->page("order", "Recovery exhausted.");
  f.loop.run_due();
  REQUIRE(f.sent() == 1);
  CHECK(f.http.desk.last().url == "http://p/");
  CHECK(f.body()["alerts"][0]["annotations"]["summary"] == "Recovery exhausted.");
  CHECK(f.body()["alerts"][0]["labels"] ==
        json{{"alertname", "FettlePage"}, {"service", "order"}, {"severity", "page"}});
  config::Errors errors;
  f.notifications->replace(fakes::notify_configuration(
      "receivers: [{name: pager, webhook_configs: [{url: \"p\"}]}, {name: chat, webhook_configs: [{url: "
      "\"http://c/\"}]}]\n" +
          f.rest,
      errors));
  CHECK(errors.size() == 1);
  f.notifications->page("order", "Recovery exhausted.");
  f.loop.run_due();
  CHECK(f.sent() == 2);
}

TEST_CASE("messages of a receiver that is not configured any more are dropped, and said so") {
  Fixture f;
  f.tell("Down");
  f.start("", 2);
  CHECK(f.drops == std::vector<std::string>{"ops receiver_removed 1"});
  CHECK(f.state.durable().at(state::Table::notifications).empty());
}

TEST_CASE("after a day what is true then is said instead, if anything is") {
  Fixture f;
  f.tell("Down");
  f.tell("Slow");
  for (int i = 0; i < 4; ++i) f.answer(500);
  const std::string id = f.header("webhook-id", 0);
  f.tell("Slow", AlertState::inactive);
  f.loop.jump_wall(std::chrono::hours{25});
  f.loop.advance(seconds{2});
  CHECK(f.drops.size() == 2);
  for (const std::string& each : f.drops) CHECK(each.starts_with("ops too_old"));
  REQUIRE(f.http.desk.waiting() == 1);
  CHECK(f.body()["groupLabels"]["alertname"] == "Down");
  CHECK(f.header("webhook-id") != id);
  f.answer(200);
  CHECK(f.queued() == 0);
}

TEST_CASE("a full disk does not keep a message from being sent") {
  Fixture f;
  f.state.failing = true;
  f.tell("Down");
  CHECK(f.sent() == 1);
}

TEST_CASE(
    "no id comes twice: not over a restart with the same state, not with a lost one, not on a node of that name") {
  std::set<std::string> ids;
  std::size_t messages = 0;
  fakes::FakeState::Tables left;
  for (int life = 0; life < 4; ++life) {
    fakes::FakeLoop loop;
    fakes::FakeHttp http{loop};
    fakes::FakeSpawner spawner{loop};
    fakes::FakeDialer dialer{loop};
    fakes::FakeState state(loop, life < 2 ? left : fakes::FakeState::Tables{});
    notify::Notifications agent(notify::Options{"node1", "", {}, base::Random::from_entropy(), nullptr},
                                notify::Context{loop, http, spawner, dialer}, state, {});
    config::Errors errors;
    agent.replace(
        fakes::notify_configuration("receivers: [{name: ops, webhook_configs: [{url: \"http://h/\"}]}]", errors));
    agent.settle({});
    for (int i = 0; i < 20; ++i) {
      agent.page("s" + std::to_string(i), "Recovery exhausted.");
      loop.run_due();
      http::HttpResponse taken;
      taken.status = 200;
      http.desk.answer(std::move(taken));
    }
    for (const auto& request : http.desk.asked())
      for (const auto& [key, value] : request.headers)
        if (key == "webhook-id") ids.insert(value), ++messages;
    left = state.durable();
  }
  CHECK(messages == 80);
  CHECK(ids.size() == messages);
}
