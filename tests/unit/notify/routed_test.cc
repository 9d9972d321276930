// When a receiver hears of a group, by the times of its route.
#include <algorithm>

#include "desk.h"

namespace {

const char* const kOps = "{name: ops, webhook_configs: [{url: \"http://h/\"}]}";

// What the last message says of each alert: "A/i1! B/i1."
std::string said(const json& body) {
  std::string out;
  for (const json& alert : body["alerts"])
    out += std::string(out.empty() ? "" : " ") + alert["labels"]["alertname"].get<std::string>() + "/" +
           alert["labels"]["instance"].get<std::string>() + (alert["status"] == "firing" ? "!" : ".");
  return out;
}

// Takes everything, at once, and notes when it came: "30s A/i1! B/i1!".
struct Timed : Fixture {
  using Fixture::Fixture;
  std::vector<std::string> heard;
  std::size_t seen = 0;
  std::int64_t seconds_gone = 0;
  void gone(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      take();
      loop.advance(seconds{1});
      ++seconds_gone;
      take();
    }
  }
  void take() {
    for (; seen < sent(); ++seen) {
      heard.push_back(std::to_string(seconds_gone) + "s " + said(json::parse(http.desk.asked()[seen].body)));
      answer(200);
      loop.run_due();
    }
  }
};

using Heard = std::vector<std::string>;

}  // namespace

// As Alertmanager has it: seen beside it with random trees.
TEST_CASE("a repetition that was kept back comes with the first time of a message at which it no longer is") {
  Timed f(
      "route: {receiver: ops, group_by: [service], group_wait: 10s, group_interval: 60s, repeat_interval: 150s}\n"
      "inhibit_rules: [{source_matchers: ['alertname=\"S\"'], target_matchers: ['alertname=\"A\"']}]\n",
      kOps);
  f.tell("A");
  f.gone(100);
  f.tell("S", AlertState::firing, "i1", "other");
  f.gone(100);  // due at 190 s
  CHECK(f.heard == Heard{"10s A/i1!", "110s S/i1!"});
  f.tell("S", AlertState::inactive, "i1", "other");
  f.gone(60);
  std::string all;
  for (const std::string& each : f.heard) all += each + "; ";
  CHECK(all == "10s A/i1!; 110s S/i1!; 230s S/i1.; 250s A/i1!; ");
}

TEST_CASE("a new group waits for group_wait, news of it for group_interval, and without news for repeat_interval") {
  Timed f("route: {receiver: ops, group_by: [service], group_wait: 10s, group_interval: 60s, repeat_interval: 5m}\n",
          kOps);
  f.tell("A");
  f.gone(4);
  f.tell("B");
  f.gone(16);  // told at 10 s
  f.tell("C");
  f.gone(45);  // at 65 s; told again at 70 s, when the group's time is
  CHECK(f.heard == Heard{"10s A/i1! B/i1!"});
  f.gone(10);
  CHECK(f.heard == Heard{"10s A/i1! B/i1!", "70s A/i1! B/i1! C/i1!"});
  f.tell("B", AlertState::inactive);
  f.gone(60);
  CHECK(f.heard.back() == "130s A/i1! B/i1. C/i1!");
  CHECK(f.heard.size() == 3);
  // More than five minutes later, at the group's times.
  f.gone(360 + 130 + 1 - f.seconds_gone);
  CHECK(f.heard.size() == 4);
  CHECK(f.heard.back() == "490s A/i1! C/i1!");
}

TEST_CASE("a group that has ended waits for group_wait when it fires again") {
  Timed f("route: {receiver: ops, group_wait: 10s, group_interval: 60s}\n", kOps);
  f.tell("A");
  f.gone(11);
  f.tell("A", AlertState::inactive);
  f.gone(60);
  CHECK(f.heard == Heard{"10s A/i1!", "70s A/i1."});
  f.tell("A");
  f.gone(11);
  CHECK(f.heard.back() == "81s A/i1!");
}

TEST_CASE("after a restart what has waited for longer than group_wait is told at once, and what was told is not") {
  Timed f("route: {receiver: ops, group_by: [alertname], group_wait: 30s, group_interval: 5m}\n", kOps);
  f.tell("A");
  f.gone(31);
  f.tell("B");
  f.gone(29);
  CHECK(f.heard == Heard{"30s A/i1!"});
  f.loop.jump_wall(minutes{1});
  f.start(kOps, 7);
  f.take();
  f.gone(1);
  CHECK(f.heard == Heard{"30s A/i1!", "60s B/i1!"});
}

TEST_CASE("a receiver that two routes lead to hears each group by its own key") {
  Fixture f(
      "route: {receiver: ops, group_wait: 0s, routes: [{matchers: ['severity=\"page\"'], continue: true}, {group_by: "
      "[alertname]}]}\n",
      kOps);
  f.tell("Down");
  REQUIRE(f.sent() == 2);
  CHECK(json::parse(f.http.desk.asked()[0].body)["groupKey"] == "{}/{severity=\"page\"}:{}");
  CHECK(json::parse(f.http.desk.asked()[1].body)["groupKey"] == "{}/{}:{alertname=\"Down\"}");
}

TEST_CASE("each integration of a receiver is told, and taken, on its own") {
  Fixture f("route: {receiver: ops, group_wait: 0s}\n",
            "{name: ops, webhook_configs: [{url: \"http://h/\"}, {url: \"http://i/\"}]}");
  f.tell("Down");
  REQUIRE(f.sent() == 2);
  f.answer(200);
  f.answer(500);
  CHECK(f.queued() == 1);
  f.loop.advance(seconds{5});
  REQUIRE(f.sent() == 3);
  CHECK(f.http.desk.last().url == "http://i/");
}

TEST_CASE("what another alert inhibits is told when that has ended, once") {
  Timed f(
      "route: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 10s}\n"
      "inhibit_rules: [{source_matchers: ['alertname=\"Down\"'], target_matchers: ['alertname=\"Slow\"'], equal: "
      "[service]}]\n",
      kOps);
  f.tell("Down");
  f.tell("Slow");
  f.tell("Slow", AlertState::firing, "i1", "payment");
  f.gone(30);
  std::sort(f.heard.begin(), f.heard.end());
  CHECK(f.heard == Heard{"0s Down/i1!", "10s Slow/i1!"});  // of payment
  f.heard.clear();
  f.tell("Down", AlertState::inactive);
  f.gone(30);
  std::sort(f.heard.begin(), f.heard.end());
  CHECK(f.heard == Heard{"30s Down/i1.", "30s Slow/i1! Slow/i1!"});
}

TEST_CASE("what was told before another alert inhibits it is not told again after that") {
  Timed f(
      "route: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s}\n"
      "inhibit_rules: [{source_matchers: ['alertname=\"Down\"'], target_matchers: ['alertname=\"Slow\"']}]\n",
      kOps);
  f.tell("Slow");
  f.gone(2);
  f.tell("Down");
  f.gone(2);
  f.tell("Down", AlertState::inactive);
  f.gone(2);
  CHECK(f.heard == Heard{"0s Slow/i1!", "2s Down/i1!", "4s Down/i1."});
}

TEST_CASE("a route says nothing while a time interval mutes it, and all that fires after it") {
  // The test begins at 22:13:20 UTC.
  Timed f(
      "route: {receiver: ops, group_wait: 1s, group_interval: 30s, routes: [{matchers: ['severity=\"page\"'], "
      "mute_time_intervals: [evening]}]}\n"
      "time_intervals: [{name: evening, time_intervals: [{times: [{start_time: \"22:00\", end_time: \"22:20\"}]}]}]\n",
      kOps);
  f.tell("A");
  f.gone(399);
  CHECK(f.heard.empty());
  f.gone(60);
  CHECK(f.heard == Heard{"421s A/i1!"});  // 22:20:21, the group's next time
}

TEST_CASE("an Alertmanager that no route leads to hears everything; one that a route leads to what it takes") {
  const std::string two = "{name: am, alertmanager_configs: [{urls: [\"http://a\"]}]}, " + std::string(kOps);
  Fixture all("route: {receiver: ops, group_wait: 0s}\n", two);
  all.tell("Down");
  CHECK(all.sent() == 2);
  Fixture some("route: {receiver: ops, group_wait: 0s, routes: [{receiver: am, matchers: ['severity=\"info\"']}]}\n",
               two);
  some.tell("Down");
  REQUIRE(some.sent() == 1);
  CHECK(some.http.desk.last().url == "http://h/");
}

TEST_CASE("an alert that other routes would take after a reload is told to its end where it was told") {
  Fixture f("route: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1ms}\n", kOps);
  f.tell("Down");
  f.answer(200);
  f.loop.advance(seconds{1});
  f.rest = "route: {receiver: none, group_wait: 0s, group_interval: 1ms}\n";
  f.use(std::string(kOps) + ", {name: none}");
  f.tell("Slow");
  CHECK(f.sent() == 1);
  f.loop.advance(std::chrono::hours{12});
  CHECK(f.sent() == 1);
  f.tell("Down", AlertState::inactive);
  REQUIRE(f.sent() == 2);
  CHECK(f.body()["status"] == "resolved");
  CHECK(f.body()["groupKey"] == "{}:{alertname=\"Down\"}");
}

TEST_CASE("records of a version in which a receiver had one integration are those of its first one") {
  fakes::FakeLoop loop;
  Fixture f;
  f.tell("Down");
  const std::string id = f.header("webhook-id");
  std::vector<state::Change> changes;
  const auto records = f.state.read(state::Table::notifications);
  for (const auto& [key, record] : records) {
    std::string old = key;
    old.replace(old.find("ops webhook[0]"), std::string("ops webhook[0]").size(), "ops");
    changes.push_back(state::Change::remove(state::Table::notifications, key));
    changes.push_back(state::Change::put(state::Table::notifications, old, record));
  }
  f.state.commit(std::move(changes), [](base::Result<>) {});
  f.start("{name: ops, webhook_configs: [{url: \"http://h/\"}]}", 5);
  REQUIRE(f.sent() == 2);
  CHECK(f.header("webhook-id") == id);
  CHECK(f.drops.empty());
}
