// marathon: the request, the deployment until it has left the list, and the proof by the app. Answers in the shapes of
// Marathon's REST API.
#include <doctest/doctest.h>

#include "fakes/action_trial.h"

namespace {

using namespace std::chrono_literals;

using fakes::answered;

struct Scheduler {
  explicit Scheduler(const std::string& keys = "restart: /shop/order") {
    action = t.parse("marathon", "{url: 'http://m.test:8080/', " + keys + "}");
    t.run(*action);
  }
  void answer(const std::string& request, http::HttpResponse response) {
    if (t.http.desk.waiting() == 0) t.loop.advance(1s);
    REQUIRE(t.http.desk.waiting() == 1);
    const std::string method = t.http.desk.last().method;
    CHECK(method + " " + t.http.desk.last().url ==
          method + " http://m.test:8080" + request.substr(request.find(' ') + 1));
    CHECK(request.starts_with(method + " "));
    t.http.desk.answer(std::move(response));
  }
  void app(int running, int unhealthy = 0, const std::string& version = "v2") {
    answer("GET /v2/apps/shop/order?embed=app.counts&embed=app.deployments",
           answered(200, R"({"app":{"id":"/shop/order","version":")" + version + R"(","instances":2,"tasksRunning":)" +
                             std::to_string(running) + R"(,"tasksUnhealthy":)" + std::to_string(unhealthy) +
                             R"(,"deployments":[]}})"));
  }
  void begin() { answer("POST /v2/apps/shop/order/restart", answered(200, R"({"version":"v2","deploymentId":"d1"})")); }
  fakes::ActionTrial t;
  std::unique_ptr<const recover::Action> action;
};

const char* const kGoesOn =
    R"([{"id":"d1","version":"v2","affectedApps":["/shop/order"],"currentStep":1,"totalSteps":2}])";

}  // namespace

TEST_CASE("a restart is over when its deployment has ended and all tasks run") {
  Scheduler marathon;
  CHECK(marathon.action->text() == "marathon restart /shop/order");
  CHECK(marathon.action->target() == "marathon app /shop/order");
  marathon.begin();
  marathon.answer("GET /v2/deployments", answered(200, kGoesOn));
  marathon.answer("GET /v2/deployments", answered(503));  // a leader that changes
  marathon.answer("GET /v2/deployments", answered(200, R"([{"id":"other"}])"));
  marathon.app(2);
  CHECK(marathon.t.end() == "ok: marathon restart /shop/order: done, 2 of 2 tasks run");
}

TEST_CASE("a deployment that ended is not one that went well") {
  struct Row {
    int running, unhealthy;
    const char *version, *end;
  };
  for (const Row& row : {
           Row{1, 0, "v2",
               "failed: marathon restart /shop/order: deployment d1 has ended with 1 of 2 tasks running, 0 unhealthy"},
           Row{2, 1, "v2",
               "failed: marathon restart /shop/order: deployment d1 has ended with 2 of 2 tasks running, 1 unhealthy"},
           Row{2, 0, "v1",
               "failed: marathon restart /shop/order: deployment d1 was cancelled: the app has version v1, not v2"},
       }) {
    Scheduler marathon;
    marathon.begin();
    marathon.answer("GET /v2/deployments", answered(200, "[]"));
    marathon.app(row.running, row.unhealthy, row.version);
    CHECK(marathon.t.end() == row.end);
  }
}

TEST_CASE("another deployment is waited for, never cancelled") {
  const char* held = R"({"message":"App is locked by one or more deployments.","deployments":[{"id":"d0"}]})";
  Scheduler marathon;
  marathon.answer("POST /v2/apps/shop/order/restart", answered(409, held));
  marathon.begin();
  marathon.answer("GET /v2/deployments", answered(200, "[]"));
  marathon.app(2);
  CHECK(marathon.t.end() == "ok: marathon restart /shop/order: done, 2 of 2 tasks run");

  Scheduler stuck;
  for (int i = 0; i < 10 && stuck.t.results.empty(); ++i)
    stuck.answer("POST /v2/apps/shop/order/restart", answered(409, held));
  CHECK(stuck.t.end() ==
        "failed: marathon restart /shop/order: another deployment holds the app: HTTP status 409: App is locked by one "
        "or more deployments.");
}

TEST_CASE("a deployment that is not over in time goes on, and that is said") {
  Scheduler marathon;
  marathon.begin();
  for (int i = 0; i < 10 && marathon.t.results.empty(); ++i)
    marathon.answer("GET /v2/deployments", answered(200, kGoesOn));
  CHECK(marathon.t.end() == "timeout: marathon restart /shop/order: deployment d1 is not over, and goes on");
}

TEST_CASE("scale asks for a number of tasks") {
  Scheduler marathon("scale: shop/order, instances: 2");
  CHECK(marathon.action->text() == "marathon scale shop/order to 2");
  CHECK(marathon.t.http.desk.last().body == R"({"instances":2})");
  marathon.answer("PUT /v2/apps/shop/order", answered(200, R"({"version":"v2","deploymentId":"d1"})"));
  marathon.answer("GET /v2/deployments", answered(200, "[]"));
  marathon.app(2);
  CHECK(marathon.t.end() == "ok: marathon scale shop/order to 2: done, 2 of 2 tasks run");
}

TEST_CASE("what Marathon refuses is told") {
  struct Row {
    http::HttpResponse response;
    const char* end;
  };
  http::HttpResponse silent;
  silent.reason = model::Reason::read_timeout;
  silent.text = "no answer";
  for (const Row& row : {
           Row{answered(404, R"({"message":"App '/shop/order' does not exist"})"),
               "failed: marathon restart /shop/order: /v2/apps/shop/order/restart: HTTP status 404: App '/shop/order' "
               "does not exist"},
           Row{answered(403, R"({"message":"Not Authorized to perform this action!"})"),
               "refused: marathon restart /shop/order: /v2/apps/shop/order/restart: HTTP status 403: Not Authorized to "
               "perform this action!"},
           Row{answered(200, "{}"), "failed: marathon restart /shop/order: the answer has no deploymentId"},
           Row{silent,
               "timeout: marathon restart /shop/order: /v2/apps/shop/order/restart: no answer; it may have begun all "
               "the "
               "same"},
       }) {
    Scheduler marathon;
    marathon.t.http.desk.answer(row.response);
    CHECK(marathon.t.end() == row.end);
  }
}

TEST_CASE("mistakes in a marathon action are named") {
  fakes::ActionTrial t;
  const auto mistake = [&](const std::string& keys) {
    return t.mistakes("marathon", "{url: 'http://m.test:8080', " + keys + "}");
  };
  CHECK(mistake("instances: 2") == "fettle.yml:1:9: do: must have one of restart and scale, with an app's id\n");
  CHECK(mistake("restart: ../order").find("do.restart: '../order' is no id of an app, such as /shop/order") !=
        std::string::npos);
  CHECK(mistake("scale: /order").find("do.scale: needs instances, 0 or more") != std::string::npos);
  CHECK(mistake("restart: /order, instances: 2").find("do.instances: stands beside scale only") != std::string::npos);
}

TEST_CASE("who stops the run while another deployment is waited for is heard") {
  std::optional<std::string> why;
  Scheduler marathon;
  marathon.t.trigger.stopped = [&why] { return why; };
  marathon.t.run(*marathon.action);
  marathon.answer("POST /v2/apps/shop/order/restart", answered(409, "{}"));
  why = "aborted by operator: alice";
  marathon.t.loop.advance(1s);
  CHECK(marathon.t.http.desk.waiting() == 0);
  CHECK(marathon.t.end() ==
        "refused: marathon restart /shop/order: aborted by operator: alice; nothing was changed, another deployment "
        "holds the app");
}
