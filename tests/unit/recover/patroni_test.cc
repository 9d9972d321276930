// patroni: the switchover and its proof. Answers as Patroni 3.0.2 gave them.
#include <doctest/doctest.h>

#include "fakes/action_trial.h"

namespace {

using namespace std::chrono_literals;

using fakes::answered;

std::string cluster(const std::string& leader, const std::string& more = "") {
  const std::string other = leader == "a" ? "b" : "a";
  return R"({"members":[{"name":")" + other + R"(","role":"replica","state":"running","lag":0},{"name":")" + leader +
         R"(","role":"leader","state":"running","timeline":1}])" + more + "}";
}

struct Patroni {
  explicit Patroni(const std::string& keys = "") {
    action = t.parse("patroni", "{url: 'http://p.test:8008/'" + keys + "}");
    t.run(*action);
  }
  void answer(const std::string& request, http::HttpResponse response) {
    if (t.http.desk.waiting() == 0) t.loop.advance(1s);
    REQUIRE(t.http.desk.waiting() == 1);
    CHECK(t.http.desk.last().method + " " + t.http.desk.last().url == request);
    t.http.desk.answer(std::move(response));
  }
  void primary() { answer("GET http://p.test:8008/primary", answered(200, R"({"role":"master"})")); }
  void shows(const std::string& document) { answer("GET http://p.test:8008/cluster", answered(200, document)); }
  void switches(http::HttpResponse response) { answer("POST http://p.test:8008/switchover", std::move(response)); }

  fakes::ActionTrial t;
  std::unique_ptr<const recover::Action> action;
};

}  // namespace

TEST_CASE("a switchover is over when another member leads") {
  Patroni patroni;
  CHECK(patroni.action->text() == "patroni switchover");
  patroni.primary();
  patroni.shows(cluster("a"));
  CHECK(patroni.t.http.desk.last().body == R"({"leader":"a"})");
  patroni.switches(answered(200, "Successfully switched over to \"b\""));
  patroni.shows(cluster("a"));
  patroni.answer("GET http://p.test:8008/cluster", answered(503));
  patroni.shows(cluster("b"));
  CHECK(patroni.t.end() == "ok: patroni switchover: b is the primary now, a was it");
}

TEST_CASE("a switchover asks for the candidate") {
  Patroni patroni(", candidate: b");
  patroni.primary();
  patroni.shows(cluster("a"));
  CHECK(patroni.t.http.desk.last().body == R"({"candidate":"b","leader":"a"})");
}

TEST_CASE("a server that is no primary has nothing to hand over, and what people do is theirs") {
  Patroni replica;
  replica.answer("GET http://p.test:8008/primary", answered(503, R"({"role":"replica"})"));
  CHECK(replica.t.end() == "ok: patroni switchover: the server here is not the primary");
  Patroni paused;
  paused.primary();
  paused.shows(cluster("a", R"(,"pause":true)"));
  CHECK(paused.t.end() == "refused: patroni switchover: Patroni is paused: people work on the cluster");
  Patroni scheduled;
  scheduled.primary();
  scheduled.shows(cluster("a", R"(,"scheduled_switchover":{"at":"2026-12-01T00:00:00+00:00","from":"a"})"));
  CHECK(scheduled.t.end() == "refused: patroni switchover: people have scheduled a switchover already");
}

TEST_CASE("what Patroni refuses is told in its words") {
  Patroni late;
  late.primary();
  late.shows(cluster("a"));
  late.switches(answered(412, "switchover is not possible: no good candidates have been found"));
  CHECK(late.t.end() ==
        "failed: patroni switchover: /switchover: HTTP status 412: switchover is not possible: no good candidates have "
        "been found");
  Patroni stranger;
  stranger.primary();
  stranger.shows(cluster("a"));
  stranger.switches(answered(401, "no auth header received"));
  CHECK(stranger.t.end() == "refused: patroni switchover: /switchover: HTTP status 401: no auth header received");
  Patroni leaderless;
  leaderless.primary();
  leaderless.shows(R"({"members":[]})");
  CHECK(leaderless.t.end() == "failed: patroni switchover: the cluster has no leader");
}

TEST_CASE("a switchover that leads to nobody else in time is told") {
  Patroni patroni;
  patroni.primary();
  patroni.shows(cluster("a"));
  patroni.switches(answered(202, "ok"));
  for (int i = 0; i < 20 && patroni.t.results.empty(); ++i) patroni.shows(cluster("a"));
  CHECK(patroni.t.end() == "timeout: patroni switchover: no other member than a leads");
}
