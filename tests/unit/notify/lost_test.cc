// What a receiver does not take: nothing that matters is lost, and nothing is said that is not true.
#include "desk.h"

namespace {

void answer_all(Fixture& f, int status) {
  while (f.http.desk.waiting() != 0) f.answer(status);
}

}  // namespace

TEST_CASE("what is refused is tried again while it fires, in the usual time, with the same id") {
  for (const int status : {400, 401, 403, 404, 410, 413}) {
    CAPTURE(status);
    Fixture f;
    f.tell("Down");
    const std::string id = f.header("webhook-id");
    f.answer(status);
    f.loop.advance(seconds{1});
    f.answer(status);
    f.loop.advance(seconds{2});
    REQUIRE(f.sent() == 3);
    CHECK(f.header("webhook-id") == id);
    f.answer(200);
    CHECK(f.results == std::vector<std::string>{"ops refused", "ops refused", "ops sent"});
    CHECK(f.queued() == 0);
    f.tell("Down", AlertState::inactive);
    CHECK(f.body()["status"] == "resolved");
  }
}

TEST_CASE("a disk that does not answer keeps a message back for ten seconds") {
  Fixture f;
  f.state.held = true;
  f.tell("Down");
  f.loop.advance(seconds{9});
  CHECK(f.sent() == 0);
  f.loop.advance(seconds{1});
  REQUIRE(f.sent() == 1);
  f.answer(200);
  f.state.held = false;
  f.state.sync();
  f.loop.advance(seconds{10});
  CHECK(f.sent() == 1);
  CHECK(f.queued() == 0);
}

TEST_CASE("an end is not all that a start finds of a fault that began on a full disk") {
  Fixture f;
  f.state.failing = true;
  f.tell("Down");
  f.answer(500);  // it may have been taken
  f.state.failing = false;
  f.tell("Down", AlertState::inactive);
  CHECK(f.queued() == 2);
  const std::size_t before = f.sent();
  f.start("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  REQUIRE(f.sent() == before + 1);
  CHECK(f.body()["status"] == "firing");
  f.answer(200);
  CHECK(f.body()["status"] == "resolved");
  f.answer(200);
  CHECK(f.queued() == 0);
}

TEST_CASE("nobody hears that something ended of which he never heard that it began") {
  Fixture f;
  f.tell("Down");
  f.answer(401);
  f.loop.advance(seconds{1});
  f.answer(401);
  f.tell("Down", AlertState::inactive);
  f.loop.advance(std::chrono::hours{1});
  CHECK(f.sent() == 2);
  CHECK(f.queued() == 0);
  CHECK(f.drops == std::vector<std::string>{"ops resolved_untold 1"});
  // Another time is another story.
  f.tell("Down");
  REQUIRE(f.sent() == 3);
  CHECK(f.body()["status"] == "firing");
}

TEST_CASE("of a group, too, no end is told of what nobody heard of, not even beside the end of a recovery") {
  Fixture f;
  f.tell("Down", AlertState::firing, "i1");
  f.answer(200);
  f.tell("Down", AlertState::firing, "i2");
  f.answer(404);
  f.answer(404);
  f.tell("Down", AlertState::inactive, "i2");
  f.tell("Down", AlertState::inactive, "i1");
  const auto instances = [&] {
    std::string out;
    const json body = f.body();
    for (const json& alert : body["alerts"]) out += alert["labels"]["instance"].get<std::string>();
    return out;
  };
  CHECK(instances() == "i1");
  f.answer(200);
  model::RecoveryReport report;
  report.id = "r1";
  report.service = "order";
  report.state = model::RecoveryState::recovered;
  report.started = f.loop.wall_now();
  report.ended = f.loop.wall_now();
  f.notifications->on_recovery(report);
  f.loop.run_due();
  CHECK(f.body()["recoveries"].size() == 1);
  CHECK(instances() == "i1");
}

TEST_CASE("what the receiver may have got in spite of its answer is said to its end") {
  Fixture f;
  f.tell("Down");
  f.answer(500);
  f.tell("Down", AlertState::inactive);
  f.loop.advance(seconds{1});
  f.answer(200);
  f.loop.run_due();
  REQUIRE(f.sent() == 3);
  CHECK(f.body()["status"] == "resolved");
}

TEST_CASE("a reload and a start try at once what was refused") {
  Fixture f;
  f.tell("Down");
  const std::string id = f.header("webhook-id");
  for (int i = 0; i < 8; ++i) {
    f.answer(403);
    f.loop.advance(minutes{6});
  }
  f.answer(403);
  const std::size_t before = f.sent();
  f.use("{name: ops, webhook_configs: [{url: \"http://mended/\"}]}");
  REQUIRE(f.sent() == before + 1);
  CHECK(f.http.desk.last().url == "http://mended/");
  CHECK(f.header("webhook-id") == id);
  f.answer(403);
  f.start("{name: ops, webhook_configs: [{url: \"http://mended/\"}]}", 7);
  REQUIRE(f.sent() == before + 2);
  CHECK(f.header("webhook-id") == id);
}

TEST_CASE("a message that alone is refused is set aside, and its group is said again when it changes or at a reload") {
  Fixture f;
  f.tell("Down", AlertState::firing, "i1", "poisoned");
  const auto parked = [&] { return std::count(f.results.begin(), f.results.end(), "ops parked"); };
  const auto answer = [&] {
    while (f.http.desk.waiting() != 0) {
      const json body = json::parse(f.http.desk.oldest().body);
      f.answer(body["groupLabels"]["service"] == "poisoned" ? 413 : 200);
    }
  };
  for (int i = 0; i < 12 && parked() == 0; ++i) {
    answer();
    f.tell("Down", AlertState::firing, "i1", "good" + std::to_string(i));
    answer();
    f.loop.advance(minutes{6});
  }
  CHECK(parked() == 1);
  CHECK(f.drops == std::vector<std::string>{"ops parked 1"});
  CHECK(f.queued() == 0);
  const std::size_t before = f.sent();
  f.loop.advance(std::chrono::hours{2});
  CHECK(f.sent() == before);
  f.tell("Down", AlertState::firing, "i2", "poisoned");
  REQUIRE(f.sent() == before + 1);
  CHECK(f.body()["alerts"].size() == 2);
}

TEST_CASE("a group whose messages fail or hang holds up no other") {
  Fixture f;
  for (int i = 0; i < 6; ++i) f.tell("Down", AlertState::firing, "i1", "poisoned" + std::to_string(i));
  for (int i = 0; i < 6; ++i) f.answer(500);
  f.loop.advance(seconds{1});  // they are tried again, and hang
  const std::size_t before = f.sent();
  f.tell("Down", AlertState::firing, "i1", "good");
  REQUIRE(f.sent() == before + 1);
  CHECK(f.body()["groupLabels"]["service"] == "good");
}

TEST_CASE("while a receiver is away few retries go to it, and all that waits goes when it is back") {
  Fixture f;
  std::vector<model::AlertTransition> all;
  for (int i = 0; i < 300; ++i) all.push_back(f.transition("Down", AlertState::firing, "i1", "s" + std::to_string(i)));
  f.notifications->on_transitions(all);
  f.loop.run_due();
  answer_all(f, 503);
  CHECK(f.sent() <= 310);
  for (int second = 0; second < 60; ++second) {
    f.loop.advance(seconds{1});
    answer_all(f, 503);
  }
  CHECK(f.sent() < 330);
  std::set<std::string> taken;
  for (int second = 0; second < 40; ++second) {
    f.loop.advance(seconds{1});
    while (f.http.desk.waiting() != 0) f.answer(200);
  }
  CHECK(std::count(f.results.begin(), f.results.end(), "ops sent") == 300);
  CHECK(f.queued() == 0);
}

TEST_CASE("more than fits: every alert that fires is told all the same, and what came and went is counted") {
  Fixture f;
  std::vector<model::AlertTransition> all, over;
  for (int i = 0; i < 1500; ++i) {
    const std::string service = "s" + std::to_string(i);
    all.push_back(f.transition("Down", AlertState::firing, "i1", service));
    if (i >= 1450) over.push_back(f.transition("Down", AlertState::inactive, "i1", service));
  }
  f.notifications->on_transitions(all);
  f.loop.run_due();
  CHECK(f.queued() == 1000);
  CHECK(f.notifications->statuses()[0].waiting == 1500);
  answer_all(f, 503);
  f.notifications->on_transitions(over);
  f.loop.run_due();
  std::map<std::string, std::string> told;
  for (int second = 0; second < 120; ++second) {
    f.loop.advance(seconds{1});
    while (f.http.desk.waiting() != 0) f.answer(200);
  }
  for (const auto& request : f.http.desk.asked()) {
    const json body = json::parse(request.body);
    told[body["groupLabels"]["service"]] = body["status"];
  }
  std::size_t firing = 0;
  for (int i = 0; i < 1450; ++i) firing += told["s" + std::to_string(i)] == "firing" ? 1 : 0;
  CHECK(firing == 1450);
  CHECK(f.queued() == 0);
  std::size_t vanished = 0;
  for (const std::string& drop : f.drops) vanished += drop == "ops resolved_untold 1" ? 1 : 0;
  for (int i = 1450; i < 1500; ++i)
    if (const auto found = told.find("s" + std::to_string(i)); found != told.end()) {
      CHECK(found->second == "resolved");
      ++vanished;
    }
  CHECK(vanished == 50);
}

TEST_CASE("a group that changes on and on while nobody listens keeps what may have been heard and what is true") {
  Fixture f;
  f.tell("Down");
  f.answer(500);
  for (int i = 0; i < 50; ++i) {
    f.tell("Down", AlertState::inactive);
    f.tell("Down");
  }
  CHECK(f.queued() <= 16);
  std::vector<std::string> heard;
  for (int second = 0; second < 120; ++second) {
    while (f.http.desk.waiting() != 0) {
      heard.push_back(f.body()["status"]);
      f.answer(200);
    }
    f.loop.advance(seconds{1});
  }
  CHECK(heard.front() == "firing");
  CHECK(heard.back() == "firing");
  CHECK(f.queued() == 0);
  f.tell("Down", AlertState::inactive);
  CHECK(f.body()["status"] == "resolved");
}

TEST_CASE("alerts that the rules kept and the receivers did not are told after a start, and the other way round") {
  Fixture f;
  const model::AlertTransition lost = f.transition("Lost", AlertState::firing);
  f.known.emplace(lost.alert.labels, lost.alert);  // durable with the rules; the agent was killed before the rest was
  f.tell("Ended");
  f.answer(200);
  const model::AlertTransition ended = f.transition("Ended", AlertState::inactive);
  f.known.insert_or_assign(ended.alert.labels, ended.alert);
  f.tell("Forgotten");
  f.answer(200);
  f.known.erase(f.transition("Forgotten", AlertState::firing).alert.labels);  // its rule is gone
  f.start("{name: ops, webhook_configs: [{url: \"http://h/\"}]}", 3);
  std::map<std::string, std::string> heard;
  for (std::size_t i = 2; i < f.sent(); ++i) {
    const json body = json::parse(f.http.desk.asked()[i].body);
    heard[body["groupLabels"]["alertname"]] = body["status"];
  }
  CHECK(heard ==
        std::map<std::string, std::string>{{"Lost", "firing"}, {"Ended", "resolved"}, {"Forgotten", "resolved"}});
}

TEST_CASE("503 with Retry-After is kept by all groups for a minute at most, by its own as long as it says") {
  Fixture f;
  f.tell("Down", AlertState::firing, "i1", "busy");
  http::HttpResponse busy;
  busy.status = 503;
  busy.headers = {{"Retry-After", "600"}};
  f.http.desk.answer(std::move(busy));
  f.tell("Down", AlertState::firing, "i1", "other");
  f.loop.advance(seconds{59});
  CHECK(f.sent() == 1);
  f.loop.advance(seconds{1});
  CHECK(f.sent() == 2);
  f.loop.advance(seconds{539});
  CHECK(f.sent() == 2);
  f.loop.advance(seconds{1});
  CHECK(f.sent() == 3);
}
