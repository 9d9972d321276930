// swarm: what is sent to change a service, the proof that its tasks came up, and the way back.
#include <doctest/doctest.h>

#include "base/percent.h"
#include "fakes/action_trial.h"
#include "recover/swarm_update.h"

namespace {

using namespace std::chrono_literals;

using fakes::answered;

// GET /services/order; `update` is its UpdateStatus.
std::string service(int version, const std::string& update = "", const std::string& previous = R"({"Name":"order"})") {
  return R"({"ID":"s1","Version":{"Index":)" + std::to_string(version) +
         R"(},"Spec":{"Name":"order","TaskTemplate":{"ForceUpdate":4,"Unknown":[1]},"Mode":{"Replicated":{"Replicas":2}}})" +
         (previous.empty() ? "" : R"(,"PreviousSpec":)" + previous) +
         (update.empty() ? "" : R"(,"UpdateStatus":)" + update) + "}";
}
std::string update(const std::string& state, const std::string& began, const std::string& message = "") {
  return R"({"State":")" + state + R"(","StartedAt":")" + began + R"(","Message":")" + message + R"("})";
}
std::string tasks(const std::vector<std::string>& states) {
  std::string out;
  for (const std::string& state : states)
    out += (out.empty() ? "" : ",") + (R"({"Status":{"State":")" + state + R"("}})");
  return "[" + out + "]";
}

struct Manager {
  explicit Manager(const std::string& yaml) {
    action = t.parse("swarm", yaml);
    handle = action->run(t.context, t.trigger, t.loop.now() + 40s,
                         [this](recover::ActionResult r) { t.results.push_back(std::move(r)); });
  }
  // Answers what is asked now; the next look comes half a second later.
  void answer(const std::string& method, const std::string& url, http::HttpResponse response) {
    if (t.http.desk.waiting() == 0) t.loop.advance(500ms);
    REQUIRE(t.http.desk.waiting() == 1);
    CHECK(t.http.desk.last().method == method);
    CHECK(base::percent_decode(t.http.desk.last().url) == "http://docker" + url);
    CHECK(t.http.desk.last().unix_socket == "/run/proxy.sock");
    t.http.desk.answer(std::move(response));
  }
  void says(const std::string& body) { answer("GET", "/services/order", answered(200, body)); }
  void has(const std::vector<std::string>& states) {
    answer("GET", R"(/tasks?filters={"desired-state":["running"],"service":["order"]})", answered(200, tasks(states)));
  }
  std::string sent() const { return t.http.desk.last().body; }
  fakes::ActionTrial t;
  std::unique_ptr<const recover::Action> action;
  loop::Handle handle;
};

const char* const kForce = "{update: order, force: true, socket: /run/proxy.sock}";

}  // namespace

TEST_CASE("a forced update is done when Swarm calls it complete and all tasks run") {
  Manager m(kForce);
  CHECK(m.action->text() == "swarm update --force order");
  CHECK(m.action->target() == "swarm service order");
  m.says(service(7, update("completed", "before")));
  m.answer("POST", "/services/s1/update?version=7", answered(200, R"({"Warnings":null})"));
  // The whole spec, with one more.
  CHECK(m.t.http.desk.asked()[1].body ==
        R"({"Mode":{"Replicated":{"Replicas":2}},"Name":"order","TaskTemplate":{"ForceUpdate":5,"Unknown":[1]}})");
  m.says(service(8, update("completed", "before")));  // not begun
  m.says(service(9, update("updating", "now")));
  m.says(service(10, update("completed", "now")));
  m.has({"running", "starting"});
  m.says(service(10, update("completed", "now")));
  m.has({"running", "running"});
  CHECK(m.t.end() == "ok: swarm update --force order: done, 2 of 2 tasks run");
}

TEST_CASE("a service that another client changed is read again, five times at most") {
  Manager m(kForce);
  const std::string late = R"({"message":"rpc error: code = Unknown desc = update out of sequence"})";
  for (int i = 0; i < 5; ++i) {
    m.says(service(7 + i));
    m.answer("POST", "/services/s1/update?version=" + std::to_string(7 + i), answered(500, late));
  }
  CHECK(m.t.end() ==
        "failed: swarm update --force order: POST /services/s1/update?version=11: HTTP status 500: rpc error: code = "
        "Unknown desc = update out of sequence");
}

TEST_CASE("an update that Swarm pauses is rolled back") {
  Manager m(kForce);
  m.says(service(7));
  m.answer("POST", "/services/s1/update?version=7", answered(200));
  m.answer("GET", "/services/order", answered(500, "busy"));  // it is looked at again
  m.says(service(9, update("paused", "now", "update paused due to failure of task t2")));
  m.answer("GET", "/services/order", answered(500, "busy"));
  m.says(service(9, update("paused", "now")));
  m.answer("POST", "/services/s1/update?version=9&rollback=previous", answered(200));
  m.says(service(10, update("rollback_started", "later")));
  m.says(service(11, update("rollback_completed", "later")));
  CHECK(m.t.end() ==
        "failed: swarm update --force order: Swarm paused the update: update paused due to failure of task t2; rolled "
        "back");
}

TEST_CASE("tasks that do not come up in three quarters of the time are taken back") {
  Manager m(kForce);
  m.says(service(7));
  m.answer("POST", "/services/s1/update?version=7", answered(200));
  m.t.loop.advance(500ms);
  while (m.t.loop.now() < base::Instant{} + 29s) m.says(service(8, update("updating", "now")));
  while (m.t.http.desk.last().url.find("rollback") == std::string::npos) {
    if (m.t.http.desk.waiting() == 0) m.t.loop.advance(500ms);
    if (m.t.http.desk.last().method == "GET")
      m.t.http.desk.answer(answered(200, service(8, update("updating", "now"))));
  }
  m.t.http.desk.answer(answered(200));
  m.says(service(9, update("rollback_started", "later")));
  m.says(service(9, update("rollback_completed", "later")));
  CHECK(m.t.end() == "failed: swarm update --force order: its tasks did not come up in time; rolled back");
}

TEST_CASE("scale sets the number of tasks and waits for them") {
  Manager m("{scale: order, replicas: 3, socket: /run/proxy.sock}");
  CHECK(m.action->text() == "swarm scale order to 3");
  m.says(service(7));
  m.answer("POST", "/services/s1/update?version=7", answered(200));
  CHECK(m.t.http.desk.asked()[1].body.find(R"("Replicas":3)") != std::string::npos);
  m.says(service(8));
  m.has({"running", "running"});
  m.says(service(8));
  m.has({"running", "running", "running"});
  CHECK(m.t.end() == "ok: swarm scale order to 3: done, 3 of 3 tasks run");
}

TEST_CASE("a rollback goes to the version before, if there is one") {
  const char* yaml = "{rollback: order, socket: /run/proxy.sock}";
  Manager m(yaml);
  m.says(service(7, update("paused", "before")));
  m.answer("POST", "/services/s1/update?version=7&rollback=previous", answered(200));
  m.says(service(9, update("rollback_completed", "now")));
  m.has({"running", "running"});
  CHECK(m.t.end() == "ok: swarm rollback order: done, 2 of 2 tasks run");

  Manager none(yaml);
  none.says(service(7, "", ""));
  CHECK(none.t.end() == "failed: swarm rollback order: it has no version before this one");
}

TEST_CASE("what a manager's refusals mean") {
  struct Row {
    http::HttpResponse response;
    const char* end;
    bool own_want = false;
  };
  http::HttpResponse overloaded;
  overloaded.reason = model::Reason::agent_overloaded;
  overloaded.text = "no descriptor left";
  for (
      const Row& row : {
          Row{answered(404, R"({"message":"service order not found"})"),
              "failed: swarm update --force order: GET /services/order: HTTP status 404: service order not found; see: "
              "docker service ls"},
          Row{answered(503, R"({"message":"This node is not a swarm manager."})"),
              "failed: swarm update --force order: GET /services/order: HTTP status 503: This node is not a swarm "
              "manager.; name the socket of a manager"},
          Row{answered(403, ""),
              "refused: swarm update --force order: GET /services/order: HTTP status 403; the proxy must let this path "
              "through"},
          Row{answered(200, "[]"),
              "failed: swarm update --force order: the answer is no description of a Swarm service"},
          Row{overloaded, "failed: swarm update --force order: GET /services/order: no descriptor left", true},
      }) {
    CAPTURE(row.end);
    Manager m(kForce);
    m.t.http.desk.answer(row.response);
    CHECK(m.t.end() == row.end);
    CHECK(m.t.results[0].own_want == row.own_want);
  }
}

TEST_CASE("tasks and services are read without trust") {
  CHECK(recover::all_run(R"([{"Status":{"State":"running"}}])", std::nullopt));
  CHECK(recover::all_run("[]", 0));
  CHECK_FALSE(recover::all_run("[]", std::nullopt));
  CHECK_FALSE(recover::all_run("[7]", 1));
  CHECK_FALSE(recover::all_run("{}", 0));
  CHECK_FALSE(recover::read_service("{}"));
  CHECK_FALSE(recover::read_service(R"({"ID":"../x","Version":{"Index":1},"Spec":{}})"));
  const auto global = recover::read_service(R"({"ID":"s1","Version":{"Index":1},"Spec":{"Mode":{"Global":{}}}})");
  REQUIRE(global);
  CHECK(recover::changed_spec(*global, {.change = recover::SwarmChange::scale, .service = "s1"}).empty());
}

TEST_CASE("mistakes in a swarm action are named") {
  fakes::ActionTrial t;
  const auto mistake = [&](const std::string& yaml) { return t.mistakes("swarm", yaml); };
  CHECK(mistake("{force: true}") ==
        "fettle.yml:1:9: do: must have one of update, scale and rollback, with a service's name\n");
  CHECK(mistake("{update: order, scale: order, replicas: 2}") ==
        "fettle.yml:1:9: do: must have one of update, scale and rollback, with a service's name\n");
  CHECK(mistake("{update: order}") ==
        "fettle.yml:1:18: do.update: needs force: true: the service itself is not changed\n");
  CHECK(mistake("{scale: order}") == "fettle.yml:1:17: do.scale: needs replicas, 0 or more\n");
  CHECK(mistake("{rollback: order, force: true}") == "fettle.yml:1:34: do.force: stands beside update only\n");
  CHECK(mistake("{rollback: ../order}") ==
        "fettle.yml:1:20: do.rollback: '../order' is no name of a service: letters, digits and _.- are\n");
  CHECK(mistake("{rollback: order, socket: x}") == "fettle.yml:1:35: do.socket: must be an absolute path\n");
}

TEST_CASE("an update of others is left to its end; a rollback is there to end one") {
  Manager m(kForce);
  m.says(service(7, update("updating", "theirs")));
  m.t.loop.advance(500ms);
  SUBCASE("to its end") {
    m.says(service(8, update("completed", "theirs")));
    CHECK(m.t.http.desk.last().url == "http://docker/services/s1/update?version=8");
  }
  SUBCASE("that takes longer") {
    for (int i = 0; i < 60 && m.t.results.empty(); ++i) m.says(service(7, update("updating", "theirs")));
    CHECK(m.t.end() == "refused: swarm update --force order: an update of others is under way, and is left to them");
  }
  SUBCASE("that a rollback ends") {
    Manager back("{rollback: order, socket: /run/proxy.sock}");
    back.says(service(7, update("updating", "theirs")));
    CHECK(back.t.http.desk.last().url == "http://docker/services/s1/update?version=7&rollback=previous");
  }
}

TEST_CASE("who stops the run before the change is heard") {
  std::optional<std::string> why;
  Manager m(kForce);
  m.t.trigger.stopped = [&why] { return why; };
  m.handle = m.action->run(m.t.context, m.t.trigger, m.t.loop.now() + 40s,
                           [&](recover::ActionResult r) { m.t.results.push_back(std::move(r)); });
  m.says(service(7, update("updating", "theirs")));
  m.t.loop.advance(500ms);
  why = "maintenance: on: alice";
  m.says(service(8));
  CHECK(m.t.end() == "refused: swarm update --force order: maintenance: on: alice; nothing was changed");
}
