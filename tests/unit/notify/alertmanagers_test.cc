// Alertmanagers hear alerts again and again, each on its own.
#include "desk.h"

namespace {

// Requests that wait, by host; answered one at a time, the oldest first.
struct Two : Fixture {
  Two() : Fixture(kAlertmanagers) {}
  std::size_t posts(const std::string& url) const {
    std::size_t n = 0;
    for (const auto& request : http.desk.asked()) n += request.url.starts_with(url) ? 1 : 0;
    return n;
  }
  json last(const std::string& url) const {
    for (auto i = http.desk.asked().rbegin(); i != http.desk.asked().rend(); ++i)
      if (i->url.starts_with(url)) return json::parse(i->body);
    return nullptr;
  }
  void answer_at(const std::string& url, int status) {
    http::HttpResponse response;
    response.status = status;
    if (status == 0) response.reason = model::Reason::refused;
    http.desk.answer_where([&](const http::HttpRequest& r) { return r.url.starts_with(url); }, std::move(response));
  }
  void tell_all(int count, AlertState to = AlertState::firing) {
    std::vector<model::AlertTransition> all;
    for (int i = 0; i < count; ++i) all.push_back(transition("Down", to, "i1", "s" + std::to_string(i)));
    notifications->on_transitions(all);
    loop.run_due();
  }
};

}  // namespace

TEST_CASE("every Alertmanager gets the alerts, and each is counted when it has them") {
  Two f;
  f.tell("Down");
  REQUIRE(f.sent() == 2);
  CHECK(f.http.desk.asked()[0].url == "http://a/api/v2/alerts");
  CHECK(f.http.desk.asked()[1].url == "http://b/api/v2/alerts");
  CHECK(f.body()[0]["endsAt"] == "2023-11-14T22:17:20.000Z");
  f.answer_at("http://b", 200);
  CHECK(f.results == std::vector<std::string>{"am sent"});
  f.answer_at("http://a", 500);
  CHECK(f.results == std::vector<std::string>{"am sent", "am retried"});
  CHECK(f.notifications->statuses()[0].waiting == 1);
  CHECK(f.posts("http://a") == 2);
  CHECK(f.posts("http://b") == 1);
}

TEST_CASE("firing alerts are posted every minute, resolved ones for fifteen") {
  Two f;
  f.tell("Down");
  const auto accept = [&] {
    while (f.http.desk.waiting() != 0) f.answer(200);
  };
  accept();
  f.loop.advance(seconds{59});
  CHECK(f.sent() == 2);
  f.loop.advance(seconds{1});
  CHECK(f.sent() == 4);
  CHECK(f.body()[0]["endsAt"] == "2023-11-14T22:18:20.000Z");
  accept();
  f.tell("Down", AlertState::inactive);
  CHECK(f.sent() == 6);
  CHECK(f.body()[0]["endsAt"] == "2023-11-14T22:14:20.000Z");
  int posts = 0;
  for (int minute = 0; minute < 30; ++minute) {
    accept();
    f.loop.advance(minutes{1});
    posts += f.http.desk.waiting() != 0 ? 1 : 0;
  }
  CHECK(posts == 14);
  CHECK(f.state.durable().at(state::Table::notifications).empty());
}

TEST_CASE("an Alertmanager that never answers costs the other nothing: its alerts never end while they fire") {
  Two f;
  f.tell_all(8);
  for (int second = 0; second < 600; ++second) {
    while (f.http.desk.asked_where([](const auto& r) { return r.url.starts_with("http://b"); }) != 0)
      f.answer_at("http://b", 200);
    f.loop.advance(seconds{1});
  }
  CHECK(f.posts("http://a") == 1);   // the fake never ends it
  CHECK(f.posts("http://b") == 11);  // one a minute
  CHECK(f.last("http://b").size() == 8);
}

TEST_CASE("an Alertmanager that asks for a long time hears of what fires in time all the same") {
  for (const int status : {503, 500, 429}) {
    CAPTURE(status);
    Two f;
    f.tell("Down");
    f.answer_at("http://b", 200);
    http::HttpResponse busy;
    busy.status = status;
    busy.headers = {{"Retry-After", "86400"}};
    f.http.desk.answer_where([](const auto& r) { return r.url.starts_with("http://a"); }, std::move(busy));
    f.loop.advance(seconds{61});
    CHECK(f.posts("http://a") == 2);
    CHECK(f.last("http://a")[0]["labels"]["alertname"] == "Down");
  }
}

TEST_CASE("a storm goes in posts of 64 alerts") {
  Two f;
  f.tell_all(1500);
  std::size_t most = 0;
  while (f.http.desk.waiting() != 0) f.answer(200);
  std::set<std::string> services;
  for (const auto& request : f.http.desk.asked()) {
    const json body = json::parse(request.body);
    most = std::max(most, body.size());
    if (request.url.starts_with("http://b"))
      for (const json& alert : body) services.insert(alert["labels"]["service"]);
  }
  CHECK(most == 64);
  CHECK(services.size() == 1500);
  CHECK(f.posts("http://b") == 24);
}

TEST_CASE("one alert that an Alertmanager refuses keeps none of the others from it") {
  Two f;
  f.tell_all(200);
  const auto answer = [&] {
    while (f.http.desk.waiting() != 0) {
      const auto& oldest = f.http.desk.oldest();
      f.answer(oldest.body.find("\"s7\"") != std::string::npos ? 400 : 200);
    }
  };
  for (int second = 0; second < 240; ++second) {
    answer();
    f.loop.advance(seconds{1});
  }
  CHECK(f.notifications->statuses()[0].waiting == 2);  // s7, at both
  f.tell("New");
  answer();
  CHECK(f.notifications->statuses()[0].waiting == 2);
}

TEST_CASE("an Alertmanager hears that an alert resolved if it heard, or may have heard, that it fired") {
  struct Row {
    int answer;  // 0: no connection
    bool told;
  };
  for (const Row row : {Row{200, true}, Row{500, true}, Row{0, false}, Row{401, false}}) {
    CAPTURE(row.answer);
    Two f;
    f.tell("Down");
    f.answer_at("http://b", 200);
    f.answer_at("http://a", row.answer);
    if (row.answer != 200) f.answer_at("http://a", row.answer);  // the second try comes at once
    f.tell("Down", AlertState::inactive);
    for (int second = 0; second < 30; ++second) {
      while (f.http.desk.waiting() != 0) f.answer(200);
      f.loop.advance(seconds{1});
    }
    CHECK(f.last("http://b")[0]["endsAt"] == "2023-11-14T22:13:20.000Z");
    CHECK((f.last("http://a")[0]["endsAt"] == "2023-11-14T22:13:20.000Z") == row.told);
  }
}

TEST_CASE("what resolves while it is on its way is told as resolved, also after a crash") {
  Two f;
  f.tell("Down");
  f.tell("Down", AlertState::inactive);
  f.answer_at("http://a", 200);
  CHECK(f.posts("http://a") == 2);
  CHECK(f.last("http://a")[0]["endsAt"] == "2023-11-14T22:13:20.000Z");
  f.start(kAlertmanagers, 5);
  CHECK(f.posts("http://a") == 3);
  CHECK(f.last("http://a")[0]["endsAt"] == "2023-11-14T22:13:20.000Z");
}

TEST_CASE("what an Alertmanager did not get is replaced by what is true now, also after a crash") {
  Two f;
  f.tell("Down");
  f.answer(500);
  f.answer(500);
  f.loop.advance(seconds{61});
  CHECK(f.notifications->statuses()[0].waiting == 2);  // at each of them
  f.start(kAlertmanagers, 5);
  CHECK(f.body()[0]["labels"]["alertname"] == "Down");
  CHECK(f.body()[0]["endsAt"] == "2023-11-14T22:18:21.000Z");
}
