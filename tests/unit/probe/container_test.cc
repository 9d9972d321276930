// container: what the engine says of a container, why it ended, and the events that bring a run at once. Without an
// engine: its answers are written here as engine 20.10 writes them.
#include <doctest/doctest.h>

#include <string>

#include "base/percent.h"
#include "fakes/probe_trial.h"
#include "probe/server/container_state.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

using fakes::answered;
using fakes::broken;

// `more` goes into State.
std::string inspected(const std::string& status, int exit_code, const std::string& more = "", int restarts = 0) {
  return R"({"Id":"c1","Name":"/order-1","RestartCount":)" + std::to_string(restarts) + R"(,"State":{"Status":")" +
         status + R"(","ExitCode":)" + std::to_string(exit_code) +
         R"(,"StartedAt":"2023-11-14T22:00:00.5Z","FinishedAt":"2023-11-14T22:10:00Z")" + more + "}}";
}

std::string health(const std::string& status, int streak, int exit_code, const std::string& output) {
  return R"(,"Health":{"Status":")" + status + R"(","FailingStreak":)" + std::to_string(streak) +
         R"(,"Log":[{"ExitCode":0,"Output":"old"},{"ExitCode":)" + std::to_string(exit_code) + R"(,"Output":")" +
         output + R"("}]})";
}

std::string said(const model::Outcome& outcome) {
  return (outcome.up ? "up" : std::string(model::to_string(outcome.reason))) + ": " + outcome.text;
}

const std::vector<std::string> kProxy{"socket=/run/proxy.sock"};

// Its events, and what it tells of them.
struct Watched {
  Watched() : trial("container", "order-1", kProxy) {
    source = trial.spec.settings->watch(trial.world.context, [this](probe::Event event) {
      CHECK(event.source == "docker");
      told.push_back(event.text);
    });
  }
  auto& desk() { return trial.world.http.desk; }
  std::string asked() { return base::percent_decode(desk().last().url); }
  void say(const std::string& lines) { desk().answer(answered(200, lines)); }
  std::string described(Reason reason) {
    model::Outcome outcome = model::Outcome::failure(reason, "x");
    source->describe(outcome);
    REQUIRE(outcome.measurements.size() == 1);
    CHECK(outcome.measurements[0].labels.get("source") == "docker");
    return outcome.text + (outcome.measurements[0].value == 1 ? " watched" : " not watched");
  }
  fakes::Trial trial;
  std::vector<std::string> told;
  std::unique_ptr<probe::EventSource> source;
};

std::string event(const std::string& action, const std::string& attributes, const std::string& nanoseconds) {
  return R"({"Type":"container","Action":")" + action + R"(","Actor":{"ID":"c1","Attributes":{)" + attributes +
         R"(}},"timeNano":)" + nanoseconds + "}\n";
}

}  // namespace

TEST_CASE("what the engine says of a container is up, or down with the cause") {
  struct Row {
    http::HttpResponse response;
    const char* want;
  };
  for (
      const Row& row : {
          Row{answered(200, inspected("running", 0)), "up: container order-1 is running"},
          Row{answered(200, inspected("running", 0, health("healthy", 0, 0, ""))),
              "up: container order-1 is running and healthy"},
          Row{answered(200, inspected("running", 0, health("starting", 1, 1, "no"), 3)),
              "up: container order-1 is running, its health check has not passed yet, restarted 3 times by its policy"},
          Row{answered(200, inspected("running", 0, health("unhealthy", 3, 1, R"(connect: refused\nmore)"))),
              "exit_code: container order-1 is unhealthy: its health check failed 3 times in a row: exit code 1: "
              "connect: refused"},
          Row{answered(200, inspected("running", 0, health("unhealthy", 4, -1, "Health check exceeded timeout (1s)"))),
              "exec_timeout: container order-1 is unhealthy: its health check failed 4 times in a row: it does not end "
              "in its time: Health check exceeded timeout (1s)"},
          Row{answered(200, inspected("exited", 0)), "process_gone: container order-1: exit code 0"},
          Row{answered(200, inspected("exited", 3)), "exit_code: container order-1: exit code 3"},
          Row{answered(200, inspected("exited", 137)),
              "signal: container order-1: exit code 137, as after signal 9 (Killed)"},
          Row{answered(200, inspected("exited", 137, R"(,"OOMKilled":true)")),
              "signal: container order-1: it ran out of memory (exit code 137, as after signal 9 (Killed))"},
          Row{answered(200, inspected("exited", 127, R"(,"Error":"exec: \"/order\": no such file")")),
              "exit_code: container order-1: exit code 127: exec: \"/order\": no such file"},
          Row{answered(200, inspected("restarting", 1)),
              "exit_code: container order-1 is restarted by its policy after exit code 1"},
          Row{answered(200, inspected("paused", 0)),
              "unit_failed: container order-1 is paused; docker unpause order-1"},
          Row{answered(200, inspected("created", 0)), "process_gone: container order-1 is created"},
          Row{answered(404, R"({"message":"No such container: order-1"})"),
              "process_gone: the engine has no container order-1; see: docker ps --all"},
          // What is no word of the engine about the container is no verdict.
          Row{answered(403, "<h1>403 Forbidden</h1>"),
              "agent_overloaded: /run/proxy.sock: GET /containers/order-1/json: HTTP status 403: <h1>403 "
              "Forbidden</h1>; the proxy must let this path through"},
          Row{answered(500, R"({"message":"the daemon is shutting down"})"),
              "agent_overloaded: /run/proxy.sock: GET /containers/order-1/json: HTTP status 500: the daemon is "
              "shutting "
              "down"},
          Row{answered(200, "[]"), "agent_overloaded: /run/proxy.sock: the answer is no description of a container"},
          Row{broken(Reason::refused, "connection refused"),
              "agent_overloaded: /run/proxy.sock: GET /containers/order-1/json: connection refused"},
          Row{broken(Reason::agent_overloaded, "permission denied"),
              "agent_overloaded: /run/proxy.sock: GET /containers/order-1/json: permission denied"},
      }) {
    CAPTURE(row.want);
    fakes::Trial trial("container", "/order-1", kProxy);
    trial.start();
    CHECK(trial.world.http.desk.last().url == "http://docker/containers/order-1/json");
    CHECK(trial.world.http.desk.last().unix_socket == "/run/proxy.sock");
    trial.world.http.desk.answer(row.response);
    CHECK(said(trial.found) == row.want);
  }
}

TEST_CASE("a container is measured") {
  const auto state =
      probe::read_container(inspected("exited", 137, R"(,"OOMKilled":true)" + health("unhealthy", 3, 1, ""), 2));
  REQUIRE(state);
  std::string all;
  for (const model::Measurement& m : probe::judge_container("order-1", *state).measurements)
    if (m.value != 0) all += m.name + m.labels.to_string() + " " + std::to_string(static_cast<int>(m.value)) + "\n";
  CHECK(all ==
        "probe_container_state{state=\"exited\"} 1\nprobe_container_health{state=\"unhealthy\"} 1\n"
        "probe_container_restarts{} 2\nprobe_container_oom_killed{} 1\nprobe_container_exit_code{} 137\n");
  const auto running = probe::judge_container("order-1", *probe::read_container(inspected("running", 0)));
  CHECK(running.measurements.back().name == "probe_container_start_time_seconds");
  CHECK(running.measurements.back().value == doctest::Approx(1'699'999'200.5));
  CHECK_FALSE(probe::read_container("{}"));
  CHECK_FALSE(probe::read_container("no JSON"));
}

TEST_CASE("the engine is asked for the events of one container that may change something") {
  Watched watched;
  CHECK(
      watched.asked() ==
      R"(http://docker/events?since=1700000000.000000000&filters={"container":["order-1"],"event":["die","oom","kill",)"
      R"("start","pause","unpause","destroy","health_status"],"type":["container"]})");
}

TEST_CASE("a cause is told until the next start, and nothing is lost between two questions") {
  Watched watched;
  CHECK_FALSE(watched.desk().last().enough("{\"half\":"));
  CHECK(watched.desk().last().enough("{}\n{\"half\":"));
  CHECK(watched.described(Reason::signal) == "x watched");
  watched.say(event("kill", R"("signal":"9")", "1700000001000000007"));
  CHECK(watched.told.empty());  // what it does is seen by its end
  CHECK(watched.asked().find("since=1700000001.000000008&") != std::string::npos);
  watched.say(event("die", R"("exitCode":"137")", "1700000001000000009") + R"({"Type":"container","Act)");
  CHECK(watched.told == std::vector<std::string>{"container order-1: die, exit code 137"});
  CHECK(watched.asked().find("since=1700000001.000000010&") != std::string::npos);
  CHECK(watched.described(Reason::signal) ==
        "x; the engine was told to send it signal 9 (docker stop or docker kill) watched");
  CHECK(watched.described(Reason::read_timeout) == "x watched");
  watched.say(event("start", "", "1700000002000000000") + event("health_status: unhealthy", "", "1700000003000000000"));
  CHECK(watched.told.back() == "container order-1: health_status: unhealthy");
  CHECK(watched.described(Reason::signal) == "x watched");
  watched.say(event("oom", "", "1700000004000000000"));
  CHECK(watched.described(Reason::signal) == "x; the kernel killed in it for want of memory watched");
}

TEST_CASE("an engine that tells no events is asked again, and runs say so") {
  Watched watched;
  watched.desk().answer(answered(403, "no"));
  CHECK(watched.described(Reason::signal) == "x not watched");
  CHECK(watched.desk().waiting() == 0);
  watched.trial.world.loop.advance(1s);
  CHECK(watched.desk().waiting() == 1);
  watched.desk().answer(broken(Reason::refused, "connection refused"));
  watched.trial.world.loop.advance(1s);
  CHECK(watched.desk().waiting() == 0);  // 2 s now
  watched.trial.world.loop.advance(1s);
  CHECK(watched.desk().waiting() == 1);
  watched.say("[]\n");  // an answer without an event
  CHECK(watched.desk().waiting() == 0);
  watched.trial.world.loop.advance(4s);
  watched.desk().answer(broken(Reason::read_timeout, "nothing in ten minutes"));
  CHECK(watched.desk().waiting() == 1);
  CHECK(watched.described(Reason::signal) == "x watched");
  CHECK(watched.told.empty());
  // A proxy that ends long answers is asked again soon.
  watched.trial.world.loop.advance(90s);
  watched.desk().answer(broken(Reason::closed_early, "closed"));
  watched.trial.world.loop.advance(1s);
  CHECK(watched.desk().waiting() == 1);
  watched.source.reset();
  CHECK(watched.desk().waiting() == 0);
}

TEST_CASE("mistakes in a container probe are named") {
  const auto mistake = [](const std::string& target, const std::vector<std::string>& settings) {
    const auto parsed = probe::spec_from_arguments("container", target, settings);
    return parsed ? "" : parsed.error().text;
  };
  CHECK(mistake("../x", {}).find("'../x' is no name of a container: letters, digits and _.- are") != std::string::npos);
  CHECK(mistake("order-1", {"socket=docker.sock"}).find("socket: must be an absolute path") != std::string::npos);
}
